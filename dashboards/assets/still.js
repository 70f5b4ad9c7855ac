// Puts into an element what its attribute data-still holds: parts of a page that never change while it is open (dashboards/still.py).
// The text is HTML that the server has written and escaped; the page's policy lets no script in it run.
(function () {
  "use strict";
  var filled = new WeakMap();
  function fill(element) {
    var text = element.getAttribute("data-still"), before = filled.get(element);
    if (before && before.text === text) { return; }
    if (before) { before.nodes.forEach(function (node) { node.remove(); }); filled.delete(element); }
    if (text === null) { return; }
    // A template parses rows and cells as they are, wherever they are to go.
    var template = document.createElement("template");
    template.innerHTML = text;
    var nodes = Array.prototype.slice.call(template.content.childNodes);
    element.appendChild(template.content);
    filled.set(element, { text: text, nodes: nodes });
  }
  function within(node) {
    if (node.nodeType !== 1) { return; }
    if (node.hasAttribute("data-still")) { fill(node); }
    node.querySelectorAll("[data-still]").forEach(fill);
  }
  new MutationObserver(function (changes) {
    changes.forEach(function (change) {
      if (change.type === "attributes") { fill(change.target); } else { change.addedNodes.forEach(within); }
    });
  }).observe(document.documentElement, { childList: true, subtree: true, attributes: true, attributeFilter: ["data-still"] });
  within(document.documentElement);
  // Links among pages go as those of the app go: without loading it again.
  document.addEventListener("click", function (event) {
    var link = event.target.closest && event.target.closest("a[data-link]");
    if (!link || event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) { return; }
    event.preventDefault();
    history.pushState({}, "", link.href);
    window.dispatchEvent(new CustomEvent("_dashprivate_pushstate"));
    window.scrollTo(0, 0);
  });
})();
