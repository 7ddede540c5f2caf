import { isErrorLike, StoreUnavailableError } from '../../../src/errors.js'

// A driver is loaded by a literal `await import('pg')` in a `try` of the same function. Of the forms that bundlers were tried with, only
// this one is found by each of them, and forgiven by each where the package is not installed.

/** Is this the error of an import whose package is not installed? Bundlers and test runners word it in their own ways. */
export function isMissing(error: unknown): boolean {
  if (!isErrorLike(error)) return false
  const code: unknown = Reflect.get(error, 'code')
  if (code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND') return true
  return /cannot find (package|module)|could not resolve|failed to load url/i.test(error.message)
}

/** A package that is an ES module only, asked for by a `require` that loads none, as Jest's does. */
function isModuleOnly(error: unknown): boolean {
  if (!isErrorLike(error)) return false
  if (Reflect.get(error, 'code') === 'ERR_REQUIRE_ESM') return true
  return /import statement outside a module|unexpected token '?export|must use import to load es module/i.test(error.message)
}

/** The message if the packages of a store do not load; `undefined` for an error that does not come from loading. */
export function loadFailure(store: string, packages: string, error: unknown): StoreUnavailableError | undefined {
  if (isMissing(error)) {
    return new StoreUnavailableError(`${store} store: a package that it needs is missing: run "npm install ${packages}"`)
  }
  if (!isModuleOnly(error)) return undefined
  return new StoreUnavailableError(
    `${store} store: a package that it needs is an ES module, which a CommonJS test runner such as Jest cannot load: use kysely 0.28 there, or run Jest with --experimental-vm-modules`,
  )
}

/** A CommonJS package as it exports itself: `import` puts that under `default`, and `require` does not. */
export function exported(module: object): unknown {
  return Reflect.get(module, 'default') ?? module
}
