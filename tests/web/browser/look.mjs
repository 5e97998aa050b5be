// Looks at the page in a headless Chromium, and prints a line of JSON for each thing that it has seen.
// Arguments: the folder with node_modules, the page's address, the folder for pictures (may be empty).
import { createRequire } from "node:module";

const [packages, address, pictures] = process.argv.slice(2);
const load = createRequire(`${packages}/package.json`);
const found = load("@sparticuz/chromium");
const chromium = found.default ?? found;
const puppeteer = load("puppeteer-core");

const tell = (seen) => console.log(JSON.stringify(seen));
const browser = await puppeteer.launch({
  args: chromium.args,
  executablePath: await chromium.executablePath(),
  headless: "shell",
});

async function open(width, scheme, scripts = true) {
  const page = await browser.newPage();
  const trouble = [];
  page.on("console", (message) => trouble.push(message.text()));
  page.on("pageerror", (error) => trouble.push(error.message));
  page.on("requestfailed", (request) => trouble.push(`${request.url()} failed`));
  page.on("dialog", (dialog) => { trouble.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });
  const asked = [];
  page.on("request", (request) => asked.push(request.url()));
  await page.setJavaScriptEnabled(scripts);
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
  await page.setViewport({ width, height: 900 });
  await page.goto(address, { waitUntil: "domcontentloaded" });
  return { page, trouble, asked };
}

const figures = (page) => page.$$eval("[data-figure]", (all) => all.map((each) => each.textContent));
const text = (page, selector) => page.$eval(selector, (element) => element.textContent.trim());

try {
  for (const width of [360, 1280, 1920]) {
    for (const scheme of ["light", "dark"]) {
      const { page, trouble, asked } = await open(width, scheme);
      await page.waitForSelector("#live:not([hidden])");
      const seen = await page.evaluate(() => ({
        scrollWidth: document.documentElement.scrollWidth,
        ground: getComputedStyle(document.body).backgroundColor,
        chart: [...document.querySelectorAll(".stacked-bars")].filter((each) => each.checkVisibility()).length,
        strange: document.querySelectorAll("main script, main img, main iframe, [onerror], [onload]").length,
        text: document.body.innerText,
      }));
      tell({ step: "layout", width, scheme, trouble, asked, figures: await figures(page), ...seen });
      if (pictures) await page.screenshot({ path: `${pictures}/${width}-${scheme}.png`, fullPage: true });
      await page.close();
    }
  }
  const plain = await open(1280, "light", false);
  tell({ step: "without scripts", figures: await figures(plain.page) });
  await plain.page.close();

  const { page, trouble } = await open(1280, "light");
  await page.waitForSelector("#live:not([hidden])");
  const today = "[data-figure='today.total_usd']";
  const before = await text(page, today);
  await page.click("#days details summary");
  const asOf = await text(page, "#as-of");
  tell({ step: "waiting", before });
  const begin = performance.now();
  await page.waitForFunction((one, was) => document.querySelector(one).textContent !== was, { polling: 20 }, today, before);
  const seconds = (performance.now() - begin) / 1000;
  await page.waitForFunction((was) => document.querySelector("#as-of").textContent !== was, { polling: 20 }, asOf);
  tell({
    step: "updated",
    seconds,
    after: await text(page, today),
    sources: await text(page, "#sources"),
    open: await page.$eval("#days details", (each) => each.open),
    trouble,
  });
} finally {
  await browser.close();
}
