// What the frame does for whoever comes to a page: its title, the tab that is current, focus, and the place that a link names.
// The menu of pages closes when one was chosen. The static export carries the same file.
(function () {
  "use strict";
  var path = null, last = null;
  document.addEventListener("focusin", function (event) { last = event.target; });
  function place() {
    var name = decodeURIComponent(location.hash.slice(1)), found = name && document.getElementById(name);
    if (!found || found.dataset.shown === location.href) { return; }
    found.dataset.shown = location.href;
    for (var at = found; at; at = at.parentElement) { if (at.tagName === "DETAILS") { at.open = true; } }
    found.scrollIntoView();
  }
  // What had the focus may be gone with the page that it stood on: then it goes to what took its place, or to the new content.
  function resume() {
    if (!last || last.isConnected || (document.activeElement && document.activeElement !== document.body)) { return; }
    var was = last, tab = document.querySelector(".pages-row .page-tab.current"), menu = document.querySelector("details.pages summary");
    var there = was.closest("#bar, .bar") ? [tab, menu].filter(function (one) { return one && one.offsetParent; })[0] : null;
    there = there || document.getElementById("content");
    last = null;
    if (there) { there.focus({ preventScroll: true }); }
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
    resume();
    if (path !== null && path !== location.pathname && !location.hash) { window.scrollTo(0, 0); }
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
