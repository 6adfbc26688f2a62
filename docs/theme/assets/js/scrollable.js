// What overflows sideways must be reachable by keyboard: formulas, tables and outputs on a phone.
const selector = ".math.display, .md-typeset__scrollwrap, .figure-picture, .md-typeset pre > code";

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
addEventListener("resize", mark);
