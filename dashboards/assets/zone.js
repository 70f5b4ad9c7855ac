// Times in the reader's zone with UTC at hand, or the other way round; the choice stays in this browser. The static export carries
// the same file. A time element holds UTC text as it comes; its datetime attribute is what both texts are made of.
(function () {
  "use strict";
  var KEY = "plumbline-zone", MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" "), root = document.documentElement;
  var FIELDS = { year: "numeric", month: "numeric", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23", timeZoneName: "short" };
  function formatter(zone) { return new Intl.DateTimeFormat("en-GB", Object.assign({}, FIELDS, zone ? { timeZone: zone } : {})); }
  var formats = { utc: formatter("UTC"), local: formatter("") };
  function chosen() {
    try { return localStorage.getItem(KEY) === "utc" ? "utc" : "local"; } catch (e) { return root.dataset.zone || "local"; }
  }
  function said(moment, zone, hasSeconds) {
    var part = {};
    formats[zone].formatToParts(moment).forEach(function (p) { part[p.type] = p.value; });
    var clock = part.hour + ":" + part.minute + (hasSeconds ? ":" + part.second : "");
    return Number(part.day) + " " + MONTHS[part.month - 1] + " " + part.year + ", " + clock + " " + (zone === "utc" ? "UTC" : part.timeZoneName);
  }
  function show(element) {
    var moment = new Date(element.getAttribute("datetime")), zone = root.dataset.zone;
    if (isNaN(moment)) { return; }
    var hasSeconds = (element.textContent.match(/:/g) || []).length > 1;
    var text = said(moment, zone, hasSeconds), other = said(moment, zone === "utc" ? "local" : "utc", hasSeconds);
    if (element.textContent !== text) { element.textContent = text; }
    if (element.title !== other) { element.title = other; }
  }
  function apply(zone) {
    root.dataset.zone = zone;
    document.querySelectorAll("time[datetime]").forEach(show);
    document.querySelectorAll("button.zone").forEach(function (button) {
      var text = zone === "utc" ? "UTC" : "Local";
      if (button.textContent !== text) { button.textContent = text; }
      button.setAttribute("aria-label", "Times: " + (zone === "utc" ? "UTC" : "local") + ". Change it");
    });
  }
  root.dataset.zone = chosen();
  var isDue = false;
  function due() {
    if (isDue) { return; }
    isDue = true;
    requestAnimationFrame(function () { isDue = false; apply(root.dataset.zone); });
  }
  new MutationObserver(due).observe(root, { childList: true, characterData: true, subtree: true });
  due();
  document.addEventListener("click", function (event) {
    if (!event.target.closest || !event.target.closest("button.zone")) { return; }
    var next = root.dataset.zone === "utc" ? "local" : "utc";
    try { localStorage.setItem(KEY, next); } catch (e) { /* a page without storage keeps it until it is closed */ }
    apply(next);
  });
})();
