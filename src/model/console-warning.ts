/** Where a warning is described: in the package itself, so that it is there offline, and of the same version. */
export function docsOf(code: string): string {
  return `node_modules/latchkey/docs/diagnostics.md#${code.toLowerCase()}`
}

/** Tells of a mistake where nobody listens. Node can mute or raise a warning by its code; other platforms have the console. */
export function warnOnConsole(code: string, message: string): void {
  const text = `${message} (see ${docsOf(code)})`
  const process: unknown = Reflect.get(globalThis, 'process')
  const emit: unknown = typeof process === 'object' && process !== null ? Reflect.get(process, 'emitWarning') : undefined
  if (typeof emit === 'function') Reflect.apply(emit, process, [text, { type: 'LatchkeyWarning', code }])
  else console.warn(`${code}: ${text}`)
}
