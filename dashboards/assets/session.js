// A session that has ended: an open page learns it from the first answer 401, and leads to signing in, and back from there.
(function () {
  "use strict";
  var ask = window.fetch, leaving = false;
  window.fetch = function () {
    return ask.apply(this, arguments).then(function (answer) {
      if (answer.status === 401 && !leaving && new URL(answer.url).origin === location.origin) {
        leaving = true;
        location.assign("/login?next=" + encodeURIComponent(location.pathname + location.search));
      }
      return answer;
    });
  };
})();
