// The filters live in the address: a link shows the same page, and Back undoes a choice.
window.dash_clientside = window.dash_clientside || {};
window.dash_clientside.plumbline = {
  // What was searched for → the address; a search starts at its first page.
  search: function (typed, search) {
    var asked = new URLSearchParams(search || ""), words = (typed || "").trim();
    if ((asked.get("q") || "") === words) { return window.dash_clientside.no_update; }
    if (words) { asked.set("q", words); } else { asked.delete("q"); }
    asked.delete("before"); asked.delete("run");
    var text = asked.toString();
    return text ? "?" + text : "";
  },
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
    // So is the opened run, and a page of a list that was another one.
    asked.delete("run"); if (asked.has("q") || location.pathname === "/runs") { asked.delete("before"); }
    names.forEach(function (name, i) {
      if (values[i]) { asked.set(name, values[i]); } else { asked.delete(name); }
    });
    var text = asked.toString();
    text = text ? "?" + text : "";
    return [text === (search || "") ? keep : text].concat(names.map(function () { return keep; }));
  }
};
