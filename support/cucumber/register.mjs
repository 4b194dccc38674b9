// Turns on TypeScript for everything that is imported after this file, unless something has done so already.
const mark = Symbol.for('outpost.typescript');

if (globalThis[mark] === undefined) {
  globalThis[mark] = true;
  const { register } = await import('tsx/esm/api');
  register();
}
