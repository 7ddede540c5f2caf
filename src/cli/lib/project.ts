import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { isPrefix } from '../../token/parse.js'
import { CommandError, EXIT } from './fault.js'
import { findInstances, type InstanceFile, sourcesIn } from './find-instances.js'
import { FRAMEWORKS, type Framework, type StoreName } from './templates.js'

/** The facts about a project that `init` needs. */
export type Project = {
  readonly framework: Framework | undefined
  readonly store: StoreName
  readonly prefix: string
  readonly typescript: boolean
  /** The files that create an instance. */
  readonly instances: readonly InstanceFile[]
  has(name: string): boolean
}

/** Reads the project in this folder. */
export async function readProject(cwd: string): Promise<Project> {
  const manifest = await readManifest(resolve(cwd, 'package.json'))
  const packages = new Set([manifest.dependencies, manifest.devDependencies].flatMap((part) => Object.keys(Object(part))))
  const sources = await sourcesIn(cwd)
  return {
    framework: FRAMEWORKS.find((name) => packages.has(name)),
    store: storeOf(packages),
    prefix: prefixOf(manifest.name),
    typescript: existsSync(resolve(cwd, 'tsconfig.json')) || (packages.has('typescript') && !isJavaScript(sources)),
    instances: await findInstances(cwd, sources),
    has: (name) => packages.has(name),
  }
}

/** Tools of a JavaScript project may need the package `typescript`. */
function isJavaScript(sources: readonly string[]): boolean {
  const isIn = (language: RegExp) => sources.some((file) => language.test(file) && !/\.config\.\w+$/.test(file))
  return isIn(/\.[cm]?jsx?$/) && !isIn(/\.[cm]?tsx?$/)
}

type Manifest = { readonly name?: unknown; readonly dependencies?: unknown; readonly devDependencies?: unknown }

async function readManifest(file: string): Promise<Manifest> {
  try {
    return Object(JSON.parse(await readFile(file, 'utf8')))
  } catch {
    throw new CommandError(EXIT.failed, `${file} cannot be read: run this in your project's folder, or run npm init first`)
  }
}

function storeOf(packages: ReadonlySet<string>): StoreName {
  if (packages.has('pg')) return 'postgres'
  if (packages.has('mysql2')) return 'mysql'
  return packages.has('ioredis') || packages.has('redis') ? 'redis' : 'sqlite'
}

/** `@acme/shop-api` becomes `shop_api_live`. */
function prefixOf(name: unknown): string {
  const text = typeof name === 'string' ? name : 'app'
  const words =
    text
      .toLowerCase()
      .replace(/^@[^/]*\//, '')
      .match(/[a-z0-9]+/g) ?? []
  const prefix = `${words.join('_')}_live`
  return isPrefix(prefix) ? prefix : 'app_live'
}
