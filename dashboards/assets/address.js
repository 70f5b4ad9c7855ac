// The filters live in the address: a link shows the same page, and Back undoes a choice.
window.dash_clientside = window.dash_clientside || {};
window.dash_clientside.plumbline = {
  // (search, then the value of each control) → the same; whichever changed wins, the address on a tie.
  follow: function (search) {
    var keep = window.dash_clientside.no_update;
    var triggered = (window.dash_clientside.callback_context.triggered || []).map(function (t) { return t.prop_id; });
    var asked = new URLSearchParams(search || "");
    var values = Array.prototype.slice.call(arguments, 1);
    var names = window.dash_clientside.callback_context.inputs_list.slice(1)
      .map(function (input) { return input.id.replace("filter-", ""); });
    if (!triggered.length || triggered.indexOf("address.search") >= 0) {
      return [keep].concat(names.map(function (name, i) {
        var value = asked.get(name) || "";
        return value === (values[i] || "") ? keep : value;
      }));
    }
    // A pair of releases is that of a workflow.
    if ((asked.get("workflow") || "") !== (values[0] || "")) { asked.delete("before"); asked.delete("after"); }
    names.forEach(function (name, i) {
      if (values[i]) { asked.set(name, values[i]); } else { asked.delete(name); }
    });
    var text = asked.toString();
    text = text ? "?" + text : "";
    return [text === (search || "") ? keep : text].concat(names.map(function () { return keep; }));
  }
};
