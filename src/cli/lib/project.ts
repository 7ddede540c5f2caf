import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { isPrefix } from '../../token/parse.js'
import { CommandError, EXIT } from './fault.js'
import { findInstances, type InstanceFile } from './find-instances.js'
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
  return {
    framework: FRAMEWORKS.find((name) => packages.has(name)),
    store: storeOf(packages),
    prefix: prefixOf(manifest.name),
    typescript: packages.has('typescript') || existsSync(resolve(cwd, 'tsconfig.json')),
    instances: await findInstances(cwd),
    has: (name) => packages.has(name),
  }
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
