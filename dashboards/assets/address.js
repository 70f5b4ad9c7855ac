// The filters live in the address: a link shows the same page, and Back undoes a choice.
window.dash_clientside = window.dash_clientside || {};
window.dash_clientside.plumbline = {
  // (search, workflow, environment, period) → the same four; whichever changed wins, the address on a tie.
  follow: function (search, workflow, environment, period) {
    var keep = window.dash_clientside.no_update;
    var triggered = (window.dash_clientside.callback_context.triggered || []).map(function (t) { return t.prop_id; });
    var asked = new URLSearchParams(search || "");
    var names = ["workflow", "environment", "period"], values = [workflow, environment, period];
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
    return [text === (search || "") ? keep : text, keep, keep, keep];
  }
};
