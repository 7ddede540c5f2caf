/** Completes the sentence of an error message if a promise was passed; otherwise empty. */
export function unawaited(value: unknown): string {
  return 'then' in Object(value) ? ', not a promise: await it' : ''
}

/** Returns whether a framework called a function that was passed without being called. The route is misconfigured: its caller did nothing wrong. */
export function isRequest(value: unknown): boolean {
  return 'headers' in Object(value) || 'req' in Object(value)
}

/**
 * Explains how to pass an instance, given the value that was passed instead. Completes the sentence of an error message. `write` is the call as it should
 * be written.
 */
export function misgiven(tokens: unknown, write?: string): string {
  if (typeof tokens === 'function') return ', not a function: call it, and pass its result'
  if (typeof tokens === 'string') return `, and comes first${asIn(write)}`
  const has = (name: string): boolean => name in Object(tokens)
  if (has('then')) return unawaited(tokens)
  if (isRequest(tokens))
    return `, not a request: ${write === undefined ? 'pass the instance first' : `call ${write} first, and use its result`}`
  if (has('tokens')) return `, not an object that contains it${asIn(write)}`
  if (has('revokeAll')) return ', not a handle with the verbs: pass the instance itself'
  if (has('commit')) return ', not a store: latchkey({ prefix, store, scopes })'
  return ''
}

const asIn = (write: string | undefined): string => (write === undefined ? '' : `: ${write}`)
