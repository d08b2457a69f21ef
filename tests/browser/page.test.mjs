// The status page in a real browser. Started by deploy/local/api-check.sh, which serves the page with the rows of seed.sql:
// PAGE_URL, PAGE_TOKEN, PAGE_CHROMIUM, PAGE_SCREENS (a folder for pictures), PAGE_PSQL and PAGE_DATABASE_URL.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, before, test } from "node:test";

// Packages are below target/, where the script has put them.
const require = createRequire(join(process.env.PAGE_PACKAGES, "package.json"));
const puppeteer = require("puppeteer-core").default ?? require("puppeteer-core");
const AXE = require.resolve("axe-core/axe.min.js");

const { PAGE_URL: URL_BASE, PAGE_TOKEN: TOKEN, PAGE_SCREENS: SCREENS } = process.env;
const PAGES = ["/", "/trends", "/delivery", "/jobs", "/quality"];
const DESK = { width: 1280, height: 900 };
const PHONE = { width: 390, height: 844, isMobile: true, hasTouch: true, deviceScaleFactor: 2 };

let browser;
let complaints = [];

before(async () => {
  mkdirSync(SCREENS, { recursive: true });
  browser = await puppeteer.launch({
    executablePath: process.env.PAGE_CHROMIUM,
    args: ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--force-color-profile=srgb"],
  });
});

after(async () => {
  await browser?.close();
  assert.deepEqual(complaints, [], "what the browser complained about");
});

function sql(text) {
  execFileSync(process.env.PAGE_PSQL, ["-qX", "-v", "ON_ERROR_STOP=1", "-d", process.env.PAGE_DATABASE_URL, "-c", text]);
}

/** A page of its own session; what its console says and what it cannot load fails the run. */
async function open({ scheme = "light", viewport = DESK, script = true, expected = [] } = {}) {
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  await page.setViewport(viewport);
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
  await page.setJavaScriptEnabled(script);
  const complain = (text) => expected.some((words) => text.includes(words)) || complaints.push(text);
  page.on("console", (message) => ["error", "warn"].includes(message.type()) && complain(`console: ${message.text()}`));
  page.on("pageerror", (error) => complain(`error: ${error.message}`));
  page.on("requestfailed", (request) => complain(`failed: ${request.url()} ${request.failure()?.errorText}`));
  page.on("response", (response) => response.status() >= 400 && complain(`${response.status()} ${response.url()}`));
  return page;
}

async function logIn(page) {
  await page.goto(`${URL_BASE}/`);
  await page.type("#token", TOKEN);
  await Promise.all([page.waitForNavigation(), page.click("button[type=submit]")]);
  assert.equal(await page.title(), "Overview · kpiline");
}

async function axe(page, what) {
  // Set by the debugger, so that the page's policy, which would keep it out, stays as it is.
  await page.evaluate(await (await import("node:fs/promises")).readFile(AXE, "utf8"));
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  const told = violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => `${node.target} ${node.failureSummary}`).join("; ")}`);
  assert.deepEqual(told, [], `${what}: accessibility`);
}

const text = (page, selector) => page.$eval(selector, (element) => element.textContent.replace(/\s+/g, " ").trim());
const texts = (page, selector) => page.$$eval(selector, (elements) => elements.map((element) => element.textContent.replace(/\s+/g, " ").trim()));

test("a wrong token is told so, a good one leads where one wanted to go, and logging out ends it", async () => {
  const page = await open({ expected: ["401"] });
  await page.goto(`${URL_BASE}/jobs`);
  assert.match(page.url(), /\/login\?next=%2Fjobs$/);
  await page.type("#token", "nobody");
  await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
  assert.match(await text(page, "[role=alert]"), /not known/);
  await axe(page, "login");
  await page.type("#token", TOKEN);
  await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
  assert.equal(new URL(page.url()).pathname, "/jobs");
  const cookies = await page.cookies();
  assert.equal(cookies.length, 1);
  assert.ok(cookies[0].httpOnly && cookies[0].sameSite === "Strict" && !cookies[0].value.includes(TOKEN));
  assert.equal(await page.evaluate(() => document.cookie), "", "out of reach of scripts");
  await Promise.all([page.waitForNavigation(), page.click(".out button")]);
  await page.goto(`${URL_BASE}/`);
  assert.match(page.url(), /\/login$/);
});

test("the overview has a tile a KPI, what waits, what is held and what is under way", async () => {
  const page = await open();
  await logIn(page);
  const tiles = await texts(page, ".tile");
  assert.ok(tiles.length >= 8, `${tiles.length} tiles`);
  assert.ok(tiles.some((tile) => /Service level.*%/.test(tile)), tiles.join("\n"));
  assert.ok(tiles.every((tile) => /open|settling/.test(tile)), "today has not ended");
  assert.match(await text(page, "#delivery"), /genesys-main/);
  assert.match(await text(page, "#quarantine"), /61 held/);
  assert.match(await text(page, "#backfill"), /57 of 92/);
  assert.match(await text(page, "#zones"), /Mitteleuropa/);
  const progress = await page.$eval("#backfill progress", (element) => element.value);
  assert.ok(Math.abs(progress - 57 / 92) < 1e-9);
});

test("a chart draws what its table says, by queue, by zone and version against version", async () => {
  const page = await open();
  await logIn(page);
  await page.goto(`${URL_BASE}/trends?metric=adjusted_aht&by=queue&size=30m&span=1d`);
  await page.waitForSelector(".plot canvas");
  const names = await texts(page, "table.values thead th");
  assert.deepEqual(names.slice(1, -1).sort(), ["billing", "sales", "support"]);
  const drawn = await page.$$eval(".legend span", (items) => items.map((item) => item.textContent.trim()));
  for (const name of names.slice(1, -1)) assert.ok(drawn.includes(name), `${name} in ${drawn}`);
  assert.ok(drawn.includes("may still change"));
  // The canvas has ink in it.
  const ink = await page.$eval(".plot canvas", (canvas) => canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.some((byte) => byte > 0));
  assert.ok(ink);
  // Under the pointer the legend says what the table says.
  const plot = await (await page.$(".plot .u-over")).boundingBox();
  await page.mouse.move(plot.x + plot.width / 2, plot.y + plot.height / 2);
  await page.waitForFunction(() => document.querySelector(".legend b")?.textContent.trim());
  const [window, value] = await page.$eval(".legend", (legend) => [legend.lastChild.textContent, legend.querySelector("b").textContent.trim()]);
  const row = await page.$$eval("table.values tbody tr", (rows, name) => rows.map((row) => [...row.cells].map((cell) => cell.textContent.trim())).find((cells) => name.startsWith(cells[0])), window);
  assert.ok(row && row.slice(1).includes(value), `${window}: ${value} in ${row}`);

  await page.goto(`${URL_BASE}/trends?metric=adjusted_aht&by=queue&size=day&span=31d`);
  await page.click("input[name=version][value='2']");
  await Promise.all([page.waitForNavigation(), page.click(".choice button")]);
  const compared = await texts(page, "table.values thead th");
  assert.ok(compared.includes("support, version 1") && compared.includes("support, version 2"), compared.join());
  await page.waitForSelector(".plot canvas");

  await page.goto(`${URL_BASE}/trends?metric=adjusted_aht&by=zone&size=30m&span=1d`);
  assert.deepEqual((await texts(page, "table.values thead th")).slice(1, -1).sort(), ["America/New_York", "Europe/Berlin"]);
});

test("the keyboard alone is enough", async () => {
  const page = await open();
  await logIn(page);
  await page.goto(`${URL_BASE}/`);
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Skip to content");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.id), "main");
  await page.keyboard.press("Tab");
  assert.ok(await page.evaluate(() => document.activeElement.classList.contains("tile")));
  await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
  assert.match(page.url(), /\/trends\?/);
  await page.focus("#size");
  // Passing over a choice changes nothing by itself.
  const before = page.url();
  await page.keyboard.press("ArrowUp");
  assert.equal(page.url(), before);
  await page.focus(".figures summary");
  await page.keyboard.press("Enter");
  assert.ok(await page.$eval(".figures", (part) => part.open));
});

test("what changes is shown without a reload, and not under somebody's hands", async () => {
  const page = await open();
  await logIn(page);
  assert.doesNotMatch(await text(page, "#delivery"), /news-target/);
  sql("INSERT INTO sync_targets (target, tenant, platform, metrics) VALUES ('news-target', 'acme', 'cxone-import', '{}')");
  const look = () => page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
  try {
    await page.focus("#delivery a");
    await look();
    await new Promise((resolve) => setTimeout(resolve, 500));
    assert.doesNotMatch(await text(page, "#delivery"), /news-target/, "somebody is in it");
    await page.focus("#main");
    // The server counts at most every three seconds.
    await page.waitForFunction(
      () => (document.dispatchEvent(new Event("visibilitychange")), document.querySelector("#delivery").textContent.includes("news-target")),
      { timeout: 15000, polling: 1000 },
    );
  } finally {
    sql("DELETE FROM sync_targets WHERE target = 'news-target'");
  }
});

test("without script everything but the charts is there", async () => {
  const page = await open({ script: false });
  await page.goto(`${URL_BASE}/trends?metric=adjusted_aht&by=queue&size=day&span=31d`);
  await page.type("#token", TOKEN);
  await Promise.all([page.waitForNavigation(), page.click("button[type=submit]")]);
  const html = await page.content();
  assert.match(html, /<table class="values">/);
  assert.match(html, /<div class="plot" role="img"[^>]* hidden=""/);
  await Promise.all([page.waitForNavigation(), page.click(".choice button")]);
  assert.match(page.url(), /metric=adjusted_aht&by=queue/);
});

for (const scheme of ["light", "dark"]) {
  for (const [name, viewport] of [["desk", DESK], ["phone", PHONE]]) {
    test(`every page is accessible and fits: ${scheme}, ${name}`, async () => {
      const page = await open({ scheme, viewport });
      await logIn(page);
      const all = [...PAGES, "/trends?metric=adjusted_aht&by=queue&size=30m&span=1d", "/trends?metric=adjusted_aht&by=&size=day&span=92d&version=1&version=2"];
      for (const path of all) {
        await page.goto(URL_BASE + path);
        if (path.startsWith("/trends")) await page.waitForSelector(".plot canvas");
        await page.screenshot({ path: join(SCREENS, `${path.replace(/\W+/g, "-").replace(/^-|-$/g, "") || "overview"}.${scheme}.${name}.png`), fullPage: true });
        const over = await page.evaluate(() => document.scrollingElement.scrollWidth - innerWidth);
        assert.ok(over <= 0, `${path} is ${over} pixels too wide`);
        await axe(page, `${path} ${scheme} ${name}`);
        if (path.startsWith("/trends")) {
          await page.$eval(".figures", (part) => (part.open = true));
          await axe(page, `${path} ${scheme} ${name}, with its figures`);
        }
      }
    });
  }
}
