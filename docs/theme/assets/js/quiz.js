// The quiz: turns the items of the page into forms. Without it they stay a list with folded answers.
//
// An item is a <div class="quiz-item"> that holds a question, a list of options and <details> with
// one explanation for each option, the right one marked by .verdict.holds. All words stand in the
// page; nothing is stored, so that a reload starts anew.

import { element, fill } from "./widget.js";

const letter = (index) => String.fromCharCode("A".charCodeAt(0) + index);

/** The heading in front of an item: what "Next question" goes to and the review links to. */
function headingOf(root) {
  let before = root.previousElementSibling;
  while (!before.matches("h3")) before = before.previousElementSibling;
  return before;
}

function build(root, number, words) {
  const details = root.querySelector("details");
  const explanations = [...details.querySelectorAll("ol > li")];
  const right = explanations.findIndex((item) => item.querySelector(".verdict.holds"));
  const list = root.querySelector(":scope > ol");

  const legend = element("legend", {}, ...root.querySelector(":scope > p").childNodes);
  const options = [...list.children].map((item, index) => {
    const input = element("input", { type: "radio", name: `quiz-${number}`, value: index });
    const note = element("span", { class: "quiz-note" });
    const text = element("span", {}, ...item.childNodes, " ", note);
    const label = element("label", { class: "quiz-option" }, input, `${letter(index)} `, text);
    return { input, label, note };
  });
  const button = element("button", { type: "submit" });
  const result = element("p", { role: "status", class: "quiz-result" });
  const fieldset = element("fieldset", {}, legend, ...options.map(({ label }) => label));
  const form = element("form", { autocomplete: "off" }, fieldset, button, result);
  root.replaceChildren(form, details);

  const item = { heading: headingOf(root), chosen: null, form, right: false };

  item.reset = () => {
    form.reset();
    item.chosen = null;
    details.open = false;
    details.hidden = true;
    result.textContent = "";
    button.textContent = words.check;
    root.removeAttribute("data-result");
    for (const { input, label, note } of options) {
      input.disabled = false;
      label.removeAttribute("data-state");
      note.textContent = "";
    }
  };

  /** Marks the chosen option and the right one, and unfolds the explanations. */
  item.check = () => {
    const chosen = options.findIndex(({ input }) => input.checked);
    if (chosen < 0) {
      result.textContent = words.choose;
      return false;
    }
    item.chosen = chosen;
    item.right = chosen === right;
    root.dataset.result = item.right ? "right" : "wrong";
    result.textContent = item.right ? words.right : fill(words.wrong, { right: letter(right) });
    options[right].label.dataset.state = "right";
    options[right].note.textContent = `✓ ${words.correct}`;
    if (!item.right) {
      options[chosen].label.dataset.state = "wrong";
      options[chosen].note.textContent = `✗ ${words.chosen}`;
    }
    for (const { input } of options) input.disabled = true;
    details.hidden = false;
    details.open = true;
    button.textContent = item.last ? words.finish : words.next;
    button.focus({ preventScroll: true }); // a disabled radio button would lose it
    return true;
  };

  return item;
}

function start(score) {
  const words = score.dataset;
  const [total, review] = score.querySelectorAll("p");
  const roots = [...document.querySelectorAll(".quiz-item")];
  const items = roots.map((root, index) => build(root, index + 1, words));
  items.at(-1).last = true;

  function count() {
    const answered = items.filter((item) => item.chosen !== null);
    const values = {
      answered: answered.length,
      right: answered.filter((item) => item.right).length,
      total: items.length,
    };
    const done = values.answered === values.total;
    total.textContent = fill(done ? words.score : words.open, values);
    const missed = answered.filter((item) => !item.right);
    review.hidden = missed.length === 0;
    review.replaceChildren(words.review);
    for (const { heading } of missed) {
      const title = [...heading.childNodes].filter((node) => !node.matches?.(".headerlink"));
      const text = title.map((node) => node.textContent).join("");
      const link = element("a", { href: `#${heading.id}` }, text.trim());
      review.append(" ", link);
    }
  }

  items.forEach((item, index) => {
    item.form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (item.chosen === null) {
        if (item.check()) count();
        return;
      }
      const next = items[index + 1];
      (next ? next.heading : score).scrollIntoView();
      const first = next?.form.querySelector("input:enabled, button");
      (first ?? score.querySelector("button")).focus({ preventScroll: true });
    });
  });
  score.querySelector("button").addEventListener("click", () => {
    for (const item of items) item.reset();
    count();
    items[0].heading.scrollIntoView();
    items[0].form.querySelector("input").focus({ preventScroll: true });
  });

  for (const item of items) item.reset();
  count();
  score.hidden = false;
}

for (const score of document.querySelectorAll("[data-quiz]")) start(score);
