/** Returns the page that documents a warning. It ships with the package, so it works offline and matches the installed version. */
export function docsOf(code: string): string {
  return `node_modules/latchkey/docs/diagnostics.md#${code.toLowerCase()}`
}

/** Warns the developer about a mistake. On Node, warnings can be filtered by code; other platforms log to the console. */
export function warnOnConsole(code: string, message: string): void {
  const text = `${message} (see ${docsOf(code)})`
  const process: unknown = Reflect.get(globalThis, 'process')
  const emit: unknown = typeof process === 'object' && process !== null ? Reflect.get(process, 'emitWarning') : undefined
  if (typeof emit === 'function') Reflect.apply(emit, process, [text, { type: 'LatchkeyWarning', code }])
  else console.warn(`${code}: ${text}`)
}
