// Do the selectors do in WebAssembly what the standard module's do there?
//
// ``python integration/pyodide`` makes what this needs, and runs it.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";

import { loadPyodide, version } from "pyodide";

const FOLDER = "/wheel";

let python;
let words;

before(async () => {
  python = await loadPyodide();
  const wheel = readFileSync(process.env.WHEEL);
  python.FS.mkdirTree(FOLDER);
  python.unpackArchive(new Uint8Array(wheel).buffer, "wheel", { extractDir: FOLDER });
  python.runPython(`import sys; sys.path.insert(0, "${FOLDER}")`);
  python.runPython(readFileSync(new URL("behaviour.py", import.meta.url), "utf8"));
  words = (call) => JSON.parse(python.runPython(call));
});

after(() => {
  const found = python.runPython("import platform; platform.python_version()");
  console.log(`CPython ${found} on WebAssembly, pyodide ${version}`);
});

// The steps in which two runs differ: [step, ours, the standard module's].
function differences(ours, standard) {
  assert.ok(standard.length > 40);
  assert.equal(ours.length, standard.length);
  return standard
    .map(([step, found], index) => [step, ours[index][1], found])
    .filter(([, mine, theirs]) => mine !== theirs);
}

test("the package is imported from the wheel", () => {
  const path = python.runPython("import coopselectors; coopselectors.__file__");
  assert.equal(path, `${FOLDER}/coopselectors/__init__.py`);
});

test("there are the classes that the standard module has", () => {
  assert.deepEqual(words('classes("coopselectors")'), words('classes("selectors")'));
});

for (const name of ["PollSelector", "DefaultSelector", "SelectSelector"]) {
  test(`${name} does what the standard module's does`, () => {
    const standard = words(`as_json("selectors", "${name}")`);
    assert.deepEqual(differences(words(`as_json("coopselectors", "${name}")`), standard), []);
  });
}

test("the default is PollSelector", () => {
  assert.equal(words('as_json("coopselectors", "DefaultSelector")')[0][1], "'PollSelector'");
});

test("install() and uninstall()", () => {
  const standard = words('as_json("selectors", "DefaultSelector")');
  const [during, afterwards, steps] = words("after_install()");
  assert.deepEqual([during, afterwards], ["coopselectors", "selectors"]);
  assert.deepEqual(differences(steps, standard), []);
});

test("info() and audit() say that it is an ordinary process", () => {
  const script = "import coopselectors, json; json.dumps(coopselectors.info()['runtime'])";
  assert.equal(words(script), "native");
  python.runPython("coopselectors.audit()");
});
