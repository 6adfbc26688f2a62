// Renders formulas for katex.py: one JSON array of {tex, display} per line in, one of {html} or {error} out.
import { createInterface } from "node:readline";
import katex from "katex";

const options = { output: "htmlAndMathml", throwOnError: true, strict: "error", trust: false };

function render({ tex, display }) {
  try {
    return { html: katex.renderToString(tex, { ...options, displayMode: display }) };
  } catch (error) {
    return { error: error.message };
  }
}

createInterface({ input: process.stdin }).on("line", (line) => {
  process.stdout.write(JSON.stringify(JSON.parse(line).map(render)) + "\n");
});
