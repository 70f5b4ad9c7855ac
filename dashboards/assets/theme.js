// Light, dark, or as the system says; the choice stays in this browser. Loaded in the head, before anything is painted.
// It also closes an open explanation on Escape or on a click elsewhere. The static export carries the same file.
(function () {
  "use strict";
  var KEY = "plumbline-theme", ORDER = ["auto", "light", "dark"], root = document.documentElement;
  function chosen() {
    try { var saved = localStorage.getItem(KEY); return ORDER.indexOf(saved) < 0 ? "auto" : saved; } catch (e) { return root.dataset.theme || "auto"; }
  }
  function apply(theme) {
    root.dataset.theme = theme;
    document.querySelectorAll("button.theme").forEach(function (button) {
      button.textContent = theme === "auto" ? "Auto" : theme === "light" ? "Light" : "Dark";
      button.setAttribute("aria-label", "Theme: " + theme + ". Change it");
    });
  }
  apply(chosen());
  new MutationObserver(function (changes) {
    if (changes.some(function (change) { return change.addedNodes.length; })) {
      var button = document.querySelector("button.theme:not([aria-label])");
      if (button) { apply(root.dataset.theme); }
    }
  }).observe(root, { childList: true, subtree: true });
  document.addEventListener("click", function (event) {
    if (event.target.closest && event.target.closest("button.theme")) {
      var next = ORDER[(ORDER.indexOf(root.dataset.theme) + 1) % ORDER.length];
      try { localStorage.setItem(KEY, next); } catch (e) { /* a page without storage keeps it until it is closed */ }
      apply(next);
    }
    document.querySelectorAll("details.how[open]").forEach(function (open) {
      if (!open.contains(event.target)) { open.removeAttribute("open"); }
    });
  });
  document.addEventListener("keydown", function (event) {
    if (event.key !== "Escape") { return; }
    document.querySelectorAll("details.how[open]").forEach(function (open) {
      open.removeAttribute("open");
      open.querySelector("summary").focus();
    });
  });
})();
