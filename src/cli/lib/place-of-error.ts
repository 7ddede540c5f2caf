import { execFile } from 'node:child_process'
import { existsSync, readFileSync, realpathSync } from 'node:fs'
import { dirname, relative, resolve, sep } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'

/** The first line of a stack or of a check, if the file could not be parsed or linked. */
const HEADER = /^(file:\/\/.+|\/.+|[A-Za-z]:\\.+):(\d+)\r?\n/
const FRAME = /^\s+at .*?(file:\/\/[^\s)]+|\/[^\s)]+|[A-Za-z]:\\[^\s)]+):(\d+):(\d+)\)?$/gm
const RELATIVE_IMPORT = /\b(?:from|import)\s*['"](\.{1,2}\/[^'"]+)['"]/g
/** How many files of a configuration are searched for a syntax error. */
const MOST_FILES = 30

/** Returns the file and line at which a module, or one that it imports, failed: the file that cannot be parsed, or the last call in the project. */
export async function placeOfError(error: Error, file: string): Promise<string | undefined> {
  const stack = String(error.stack)
  const place = readPlace(HEADER.exec(stack)) ?? inFolder(stack, dirname(file))
  if (place !== undefined || error.name !== 'SyntaxError') return place
  return await findSyntaxError(file)
}

function readPlace(found: RegExpExecArray | null): string | undefined {
  const [, path, line] = found ?? []
  return path === undefined ? undefined : `${path.startsWith('file:') ? fileURLToPath(path) : path}:${line}`
}

function inFolder(stack: string, folder: string): string | undefined {
  const inside = folder.endsWith(sep) ? folder : folder + sep
  for (const frame of stack.matchAll(FRAME)) {
    const place = readPlace(frame)
    if (place?.startsWith(inside) && !place.includes(`${sep}node_modules${sep}`)) return place
  }
  return undefined
}

/**
 * Returns where an error was thrown, as `lib/map.mjs:3:14` relative to a module's folder: the last call in that folder. Text of the error that only looks like
 * a call is ignored, because it may be data.
 */
export function placeInFolder(error: Error, module: string): string | undefined {
  const folder = dirname(realpathSync(module))
  for (const [, path = '', line, column] of String(error.stack).matchAll(FRAME)) {
    const file = path.startsWith('file:') ? pathOf(path) : path
    const place = file === undefined ? '' : relative(folder, file)
    if (file !== undefined && place !== '' && !OUTSIDE.test(place) && existsSync(file)) return `${place}:${line}:${column}`
  }
  return undefined
}

/** A path that leaves the folder, is on another drive, or belongs to a package. */
const OUTSIDE = /^\.\.(?:[\\/]|$)|^(?:[\\/]|[A-Za-z]:)|(?:^|[\\/])node_modules[\\/]/

function pathOf(url: string): string | undefined {
  try {
    return fileURLToPath(url.replace(/\?.*$/, ''))
  } catch {
    return undefined
  }
}

/** Node does not report the position of a syntax error in an ES module, except when it only checks the file. */
async function findSyntaxError(file: string): Promise<string | undefined> {
  const files = new Set([file])
  for (const each of files) {
    const place = readPlace(HEADER.exec(await checkSyntax(each)))
    if (place !== undefined) return place
    const imports = [...readFileSync(each, 'utf8').matchAll(RELATIVE_IMPORT)].map(([, path = '']) => resolve(dirname(each), path))
    for (const path of imports) if (files.size < MOST_FILES && existsSync(path)) files.add(path)
  }
  return undefined
}

function checkSyntax(file: string): Promise<string> {
  return new Promise((done) => {
    execFile(process.execPath, ['--check', file], (_error, _stdout, stderr) => done(stderr))
  })
}
