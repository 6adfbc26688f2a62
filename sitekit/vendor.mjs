// After `npm ci`: copy the files that a browser needs into the theme (git ignores them).
import { cp, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";

const target = "docs/theme/assets/vendor";
await rm(target, { recursive: true, force: true });

// KaTeX: the style sheet and the woff2 fonts; every browser that runs the theme reads woff2.
await mkdir(`${target}/katex/fonts`, { recursive: true });
const css = await readFile("node_modules/katex/dist/katex.min.css", "utf8");
const woff2Only = css.replace(/,url\(fonts\/[^)]*\.(?:woff|ttf)\) format\("[^"]*"\)/g, "");
await writeFile(`${target}/katex/katex.min.css`, woff2Only);
for (const file of await readdir("node_modules/katex/dist/fonts")) {
  if (file.endsWith(".woff2")) {
    await cp(`node_modules/katex/dist/fonts/${file}`, `${target}/katex/fonts/${file}`);
  }
}

// Source Serif 4: the Latin subset, upright and italic. Chinese text uses the reader's own fonts.
await mkdir(`${target}/source-serif-4`, { recursive: true });
for (const style of ["normal", "italic"]) {
  const file = `source-serif-4-latin-wght-${style}.woff2`;
  await cp(
    `node_modules/@fontsource-variable/source-serif-4/files/${file}`,
    `${target}/source-serif-4/${file}`,
  );
}
