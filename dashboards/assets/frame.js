// What the frame does for whoever comes to a page: its title, the tab that is current, focus, and the place that a link names.
// The menu of pages closes when one was chosen. The static export carries the same file.
(function () {
  "use strict";
  var path = null;
  function place() {
    var name = decodeURIComponent(location.hash.slice(1)), found = name && document.getElementById(name);
    if (!found || found.dataset.shown === location.href) { return; }
    found.dataset.shown = location.href;
    for (var at = found; at; at = at.parentElement) { if (at.tagName === "DETAILS") { at.open = true; } }
    found.scrollIntoView();
  }
  function entered() {
    var heading = document.querySelector("h1");
    document.querySelectorAll(".page-tab").forEach(function (tab) {
      if (tab.classList.contains("current")) { tab.setAttribute("aria-current", "page"); } else { tab.removeAttribute("aria-current"); }
    });
    // Dash hides these from screen readers but not from the Tab key, which then stops at nothing; their labels still find them.
    document.querySelectorAll('.dash-dropdown-focus-target[tabindex="0"]').forEach(function (hidden) { hidden.tabIndex = -1; });
    if (!heading) { return; }
    var title = heading.textContent === "Plumbline" ? "Plumbline" : heading.textContent + " · Plumbline";
    if (document.title !== title && !document.title.startsWith("Plumbline: ")) { document.title = title; }
    if (path !== null && path !== location.pathname) {
      // What was clicked may be gone with the page that it stood on: then reading goes on at the new one.
      if (!document.activeElement || document.activeElement === document.body) {
        var content = document.getElementById("content");
        if (content) { content.focus({ preventScroll: true }); }
      }
      if (!location.hash) { window.scrollTo(0, 0); }
    }
    path = location.pathname;
    place();
  }
  var isDue = false;
  new MutationObserver(function () {
    if (isDue) { return; }
    isDue = true;
    requestAnimationFrame(function () { isDue = false; entered(); });
  }).observe(document.documentElement, { childList: true, characterData: true, subtree: true });
  window.addEventListener("hashchange", place);
  document.addEventListener("DOMContentLoaded", entered);
  document.addEventListener("click", function (event) {
    var chosen = event.target.closest && event.target.closest("details.pages a");
    document.querySelectorAll("details.pages[open]").forEach(function (open) {
      if (chosen || !open.contains(event.target)) { open.removeAttribute("open"); }
      if (chosen) { open.querySelector("summary").focus(); }
    });
  });
  document.addEventListener("keydown", function (event) {
    if (event.key !== "Escape") { return; }
    document.querySelectorAll("details.pages[open]").forEach(function (open) {
      open.removeAttribute("open");
      open.querySelector("summary").focus();
    });
  });
})();
