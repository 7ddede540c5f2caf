import { isErrorLike, StoreUnavailableError } from '../../../src/errors.js'
import { advised } from '../../../src/store/fault-places.js'

// A driver is loaded by a literal `await import('pg')` inside a `try` in the same function. We tried several forms with common bundlers. All bundlers find
// this form, and tolerate it if the package is not installed.

/** Returns whether this error comes from importing a package that is not installed. Bundlers and test runners each word it differently. */
export function isMissing(error: unknown): boolean {
  if (!isErrorLike(error)) return false
  const code: unknown = Reflect.get(error, 'code')
  if (code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND') return true
  return /cannot find (package|module)|could not resolve|failed to load url/i.test(error.message)
}

/** Returns whether a package failed to load because it is ESM-only, and was loaded with a `require` that does not support ES modules, such as Jest's. */
function isModuleOnly(error: unknown): boolean {
  if (!isErrorLike(error)) return false
  if (Reflect.get(error, 'code') === 'ERR_REQUIRE_ESM') return true
  return /import statement outside a module|unexpected token '?export|must use import to load es module/i.test(error.message)
}

/** Returns the message that a store cannot run without a package: `kysely is not installed`, and the packages to install. */
export function notInstalled(store: string, what: string, packages: string): StoreUnavailableError {
  return advised(new StoreUnavailableError(`${store} store: ${what}: run "npm install ${packages}"`))
}

/** Returns the error if a package of a store cannot be loaded. It says which packages to install. Returns `undefined` for any other error. */
export function loadFailure(store: string, name: string, error: unknown, packages: string = name): StoreUnavailableError | undefined {
  if (isMissing(error)) return notInstalled(store, `${name} is not installed`, packages)
  if (!isModuleOnly(error)) return undefined
  return advised(
    new StoreUnavailableError(
      `${store} store: ${name} is an ES module, which a CommonJS test runner such as Jest cannot load: use kysely 0.28 there, or run Jest with --experimental-vm-modules`,
    ),
  )
}

/** Returns a CommonJS package's own exports: `import` wraps them in `default`, and `require` does not. */
export function exported(module: object): unknown {
  return Reflect.get(module, 'default') ?? module
}
