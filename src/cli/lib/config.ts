import { existsSync, lstatSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import process from 'node:process'
import { pathToFileURL } from 'node:url'
import { isErrorLike } from '../../errors.js'
import type { Latchkey } from '../../instance.js'
import { CommandError, EXIT } from './fault.js'
import { placeOfError } from './place-of-error.js'

/** The names of a configuration, in order of precedence. */
export const CONFIG_NAMES = ['latchkey.config.ts', 'latchkey.config.mjs', 'latchkey.config.js', 'latchkey.config.cjs'] as const

/** Node's errors for a file that is not plain JavaScript: it cannot be loaded at all, or its types or imports cannot be processed. */
const NEEDS_TRANSPILER: ReadonlySet<unknown> = new Set([
  'ERR_UNKNOWN_FILE_EXTENSION',
  'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX',
  'ERR_UNSUPPORTED_NODE_MODULES_TYPE_STRIPPING',
  'ERR_MODULE_NOT_FOUND',
])

/** Returns the error for a file that does not exist. It does not repeat the name, because a token in an imported format may have been pasted there. */
export function missingFile(cwd: string, place: string): CommandError {
  return new CommandError(EXIT.usage, `${place}: there is no such file; relative paths start at ${resolve(cwd)}`)
}

/** Finds the nearest configuration, from this folder upward. In a folder that others can write to, such as `/tmp`, anyone could plant one. */
export function findConfig(cwd: string, given: string | undefined, option = '--config'): string {
  if (given !== undefined) {
    const file = resolve(cwd, given)
    if (!existsSync(file)) throw missingFile(cwd, option)
    return file
  }
  for (let folder = resolve(cwd); ; folder = dirname(folder)) {
    const found = CONFIG_NAMES.map((name) => resolve(folder, name)).find((file) => existsSync(file))
    if (found !== undefined) {
      if (folder === resolve(cwd) || !isForeign(found)) return found
      throw new CommandError(
        EXIT.failed,
        `${found} belongs to another user, so it is not run in a subfolder: to use it anyway, pass it with --config`,
      )
    }
    if (folder === dirname(folder)) break
  }
  throw new CommandError(
    EXIT.failed,
    'found no latchkey.config.ts, .mjs, .js or .cjs here or in a parent folder: run `npx latchkey init` to write one, or pass yours with --config',
  )
}

/** Returns whether a file, or a link to it, belongs to a user other than the current user and root. Windows has no numeric user IDs. */
function isForeign(file: string): boolean {
  const user = process.geteuid?.()
  if (user === undefined) return false
  return [lstatSync(file), statSync(file)].some(({ uid }) => uid !== user && uid !== 0)
}

/** Runs the configuration, and returns the instance that it exports as `tokens` or by default. */
export async function loadInstance(file: string): Promise<Latchkey> {
  const found = instanceIn(await runModule(file))
  if (found !== undefined) return found
  throw new CommandError(EXIT.failed, `${file} must export the result of latchkey(options): export const tokens = latchkey({ … })`)
}

/** Runs a module that an option names, and returns the function that it exports under a name or by default. */
export async function loadFunction(cwd: string, option: string, given: string, name: string): Promise<(...args: never) => unknown> {
  const file = findConfig(cwd, given, option)
  const outer = Object(await runModule(file))
  const inner = Object(outer.default)
  const found = [outer[name], outer.default, inner[name], inner.default].find((value) => typeof value === 'function')
  if (found !== undefined) return found
  throw new CommandError(EXIT.failed, `${file} must export a function: export const ${name} = (row) => ({ … })`)
}

async function runModule(file: string): Promise<unknown> {
  try {
    return await importFile(file)
  } catch (error) {
    if (error instanceof CommandError) throw error
    if (!isErrorLike(error)) throw new CommandError(EXIT.failed, `${file} failed: it threw something that is not an error`)
    const place = await placeOfError(error, file)
    const at = place === undefined || error.message.includes(place) ? '' : ` (${place})`
    throw new CommandError(EXIT.failed, `${file} failed: ${error.message}${at}`)
  }
}

async function importFile(file: string): Promise<unknown> {
  const url = pathToFileURL(file).href
  try {
    return await import(url)
  } catch (error) {
    if (!/\.[cm]?ts$/.test(file) || !NEEDS_TRANSPILER.has(Reflect.get(Object(error), 'code'))) throw error
    const jiti = await findJiti()
    if (jiti !== undefined) return jiti.createJiti(url).import(file)
    if (Reflect.get(Object(error), 'code') !== 'ERR_UNKNOWN_FILE_EXTENSION') throw error
    throw new CommandError(
      EXIT.failed,
      `Node ${process.version} cannot load ${file}: run npm install --save-dev jiti, use Node 22.18 or newer, or write it as latchkey.config.mjs`,
    )
  }
}

type Jiti = { createJiti(from: string): { import(file: string): Promise<unknown> } }

async function findJiti(): Promise<Jiti | undefined> {
  try {
    return await import('jiti')
  } catch (error) {
    if (Reflect.get(Object(error), 'code') === 'ERR_MODULE_NOT_FOUND') return undefined
    throw error
  }
}

/** Imported CommonJS has its exports in `default`. */
function instanceIn(module: unknown): Latchkey | undefined {
  const outer = Object(module)
  const inner = Object(outer.default)
  return [outer.tokens, outer.default, inner.tokens, inner.default].find(isInstance)
}

/** Checks the methods, because a configuration may load another copy of the package, such as its CommonJS build. */
function isInstance(value: unknown): value is Latchkey {
  return (
    typeof value === 'object' &&
    value !== null &&
    ['as', 'health', 'close', 'verify'].every((name) => typeof Reflect.get(value, name) === 'function')
  )
}
