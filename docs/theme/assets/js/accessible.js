// What overflows sideways must be reachable by keyboard: formulas, tables and outputs on a phone.
const selector =
  ".math.display, .md-typeset__scrollwrap, .figure-picture, .lab-figure, p:has(> .screenshot), .md-typeset pre > code";

function mark() {
  for (const element of document.querySelectorAll(selector)) {
    if (element.scrollWidth > element.clientWidth + 1) {
      element.setAttribute("tabindex", "0");
    } else {
      element.removeAttribute("tabindex");
    }
  }
}

mark();
document.fonts.ready.then(mark);
addEventListener("load", mark); // by then the theme has wrapped the tables
addEventListener("resize", mark);

// Material wraps every copy button in a nameless <nav>; a page with ten of them has ten landmarks.
function demote() {
  for (const nav of document.querySelectorAll("nav.md-code__nav:not([role])")) {
    nav.setAttribute("role", "none");
  }
}

new MutationObserver(demote).observe(document.body, { childList: true, subtree: true });
demote();
