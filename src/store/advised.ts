// A symbol of the registry, because a store may come from another copy of the package than the reporter.
const ADVISED: symbol = /* @__PURE__ */ Symbol.for('latchkey.advised')

/** Marks an error whose message already says what to do, so that its log line adds no general advice. */
export function advised<E extends Error>(error: E): E {
  return Object.defineProperty(error, ADVISED, { value: true })
}

/** Returns whether the message of this error already says what to do. */
export function isAdvised(error: object): boolean {
  return Reflect.get(error, ADVISED) === true
}
