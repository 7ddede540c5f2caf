import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { Command } from 'commander'
import { isPrefix } from '../../token/parse.js'
import { CONFIG_NAMES } from '../lib/config.js'
import { CommandError, EXIT } from '../lib/fault.js'
import { type InstanceFile, importPathOf, ownModuleFor } from '../lib/find-instances.js'
import { type Streams, say, writeJson } from '../lib/output.js'
import { type Project, readProject } from '../lib/project.js'
import { choiceOption } from '../lib/suggest.js'
import { configText, type Ending, FRAMEWORKS, type Framework, reexportText, routeText, STORES, type StoreName } from '../lib/templates.js'

type Options = { readonly framework?: Framework; readonly store?: StoreName; readonly prefix?: string; readonly json?: boolean }
type File = { readonly name: string; readonly text: string }

/** Frameworks for which no route is written: the package, the page that describes it, and other names that people use. */
const PAGES: readonly (readonly [name: string, page: string, others?: readonly string[]])[] = [
  ['@nestjs/core', 'nest', ['nest']],
  ['next', 'next'],
  ['@trpc/server', 'trpc', ['trpc']],
  ['elysia', 'h3-elysia'],
  ['h3', 'h3-elysia', ['nitro', 'nuxt']],
  ['@types/aws-lambda', 'aws-lambda', ['lambda', 'aws-lambda', 'aws', 'serverless']],
  ['graphql-ws', 'graphql-ws'],
  ['socket.io', 'socket-io', ['socket-io', 'socketio', 'socket']],
  ['passport', 'passport'],
]

/** Other frameworks, which pass standard requests. */
const ON_WEB =
  /^(?:web|fetch|workers?|cloudflare|wrangler|bun|deno|remix|astro|svelte|sveltekit|solid|graphql|graphql-yoga|yoga|apollo|react-router)$/

const pathOf = (page: string): string => `node_modules/latchkey/docs/frameworks/${page}.md`

function pageOf(framework: string): string | undefined {
  const lower = framework.toLowerCase()
  for (const name of [lower, lower.replace(/\.?js$/, '')]) {
    const page = PAGES.find(([own, , others]) => own === name || others?.includes(name))?.[1] ?? (ON_WEB.test(name) ? 'web' : undefined)
    if (page !== undefined) return `for ${framework}, omit the option and see ${pathOf(page)}`
    if (name === 'ws' || name === 'websocket') return `for ${framework}, omit the option and see node_modules/latchkey/docs/websockets.md`
  }
  return undefined
}

/** `init`, which works without a configuration. */
export function addInit(program: Command, streams: Streams): void {
  const command = program
    .command('init')
    .summary('write a configuration and a protected route for your framework')
    .description('Writes latchkey.config and, for the framework in package.json, a module with a protected route. Never overwrites a file.')
    .addOption(choiceOption('--framework <name>', 'the framework (default: the one in package.json)', FRAMEWORKS, pageOf))
    .addOption(
      choiceOption('--store <name>', 'where tokens are stored (default: depends on the driver in package.json)', Object.keys(STORES)),
    )
    .option('--prefix <prefix>', 'the prefix of tokens (default: the name in package.json plus _live)')
  command.action(() => init(streams, command.optsWithGlobals()))
}

async function init(streams: Streams, options: Options): Promise<void> {
  const project = await readProject(streams.cwd)
  const { framework = project.framework, store = project.store, prefix = project.prefix } = options
  if (!isPrefix(prefix)) throw new CommandError(EXIT.usage, '--prefix must be lowercase words joined by _, such as acme_live')
  const own = project.typescript ? 'ts' : 'mjs'
  refuseExisting(streams.cwd, CONFIG_NAMES)
  // Naming a store or a prefix requests a new instance.
  const isNew = options.store !== undefined || options.prefix !== undefined
  const source = isNew ? undefined : sourceOf(project.instances, own)
  const ending = source?.commonJs ? 'cjs' : own
  const config = `latchkey.config.${ending}`
  const instance = source && importPathOf(source.file)
  const others = isNew ? project.instances.map(({ file }) => file) : []
  const files: readonly File[] = [
    { name: config, text: source === undefined ? configText(store, prefix) : reexportOf(source) },
    ...(framework === undefined ? [] : [{ name: `latchkey.routes.${ending}`, text: routeText(framework, ending) }]),
  ]
  await writeAll(streams.cwd, files)
  const install = missingPackages(project, framework, instance === undefined ? store : undefined)
  const made = instance === undefined ? { store, prefix, ...(others.length > 0 && { others }) } : { instance }
  if (others.length > 0) {
    await say(
      streams,
      `Note: this is a separate instance. Unless its prefix and store match, ${others.join(' and ')} will refuse its tokens.`,
    )
  }
  if (options.json) return writeJson(streams, { files: files.map((file) => file.name), framework, ...made, install })
  for (const { name } of files) await say(streams, `Wrote ${name}.`)
  if (instance !== undefined) await say(streams, `${config} re-exports the instance in ${instance}.`)
  if (install.length > 0) await say(streams, `Next: ${installCommands(install)}`)
  if (framework === undefined) await say(streams, withoutRoute(project))
  await say(streams, instance === undefined ? 'Then: npx latchkey create --name first --scope inventory:read' : 'Then: npx latchkey list')
}

type Source = InstanceFile & { readonly exported: string }

/**
 * Returns the file whose instance the configuration re-exports; `undefined` if the project has none.
 *
 * @throws CommandError if the project has an instance that cannot be imported, because that instance would refuse the tokens of a second one
 */
function sourceOf(instances: readonly InstanceFile[], ending: Ending): Source | undefined {
  const sources = instances.filter((each): each is Source => each.exported !== undefined && !each.serves)
  const named = sources.find(({ file, exported }) => exported === 'tokens' && /^(?:src\/|lib\/)?tokens\.[^/]+$/.test(file))
  const [first] = instances
  const [source = named, ...more] = named === undefined ? sources : [named]
  if (first === undefined || (source !== undefined && more.length === 0)) return source
  throw new CommandError(EXIT.failed, `${source === undefined ? moveOut(first, ending) : choose(sources, ending)}. Nothing was written`)
}

function reexportOf({ file, exported, commonJs }: Omit<Source, 'serves'>): string {
  return reexportText(importPathOf(file), exported, commonJs)
}

function moveOut({ file, exported, commonJs }: InstanceFile, ending: Ending): string {
  const own = ownModuleFor(file)
  const why = exported === undefined ? 'does not export it' : 'also starts a server'
  const parts = [
    `${file} creates an instance but ${why}, so the command line cannot use it, and the tokens of a second instance would be refused there`,
    `: move the latchkey() call into ${own}, export it there as tokens, import it in ${file}, and run init again`,
    ...(exported === undefined
      ? [`; if it does export it, write ${byHand({ file, exported: 'tokens', ...(commonJs && { commonJs }) }, ending)}`]
      : []),
    '; or request a separate instance with --prefix',
  ]
  return parts.join('')
}

function choose(sources: readonly Source[], ending: Ending): string {
  const [first] = sources as readonly [Source]
  const files = sources.map((each) => each.file).join(' and ')
  return `${files} each export an instance: write ${byHand(first, ending, ' with the one that you want to use')}`
}

/** Describes the configuration that a developer writes without `init`. */
function byHand(source: Omit<Source, 'serves'>, ending: Ending, which = ''): string {
  return `latchkey.config.${source.commonJs ? 'cjs' : ending}${which}, such as ${reexportOf(source).trim()}`
}

function refuseExisting(cwd: string, names: readonly string[]): void {
  const there = names.find((name) => existsSync(resolve(cwd, name)))
  if (there !== undefined) throw new CommandError(EXIT.failed, `${there} already exists; nothing was written`)
}

async function writeAll(cwd: string, files: readonly File[]): Promise<void> {
  refuseExisting(
    cwd,
    files.map(({ name }) => name),
  )
  for (const { name, text } of files) await writeFile(resolve(cwd, name), text, { flag: 'wx' })
}

function withoutRoute(project: Project): string {
  const page = PAGES.find(([name]) => project.has(name))?.[1]
  return page === undefined
    ? `None of ${FRAMEWORKS.join(', ')} is in package.json, so no route was written.`
    : `No route was written: see ${pathOf(page)}.`
}

/** Only the command line needs jiti. */
function installCommands(packages: readonly string[]): string {
  const needed = packages.filter((name) => name !== 'jiti')
  const commands = [
    ...(needed.length > 0 ? [`npm install ${needed.join(' ')}`] : []),
    ...(packages.includes('jiti') ? ['npm install --save-dev jiti'] : []),
  ]
  return commands.join(' && ')
}

function missingPackages(project: Project, framework: Framework | undefined, store: StoreName | undefined): readonly string[] {
  const wanted = ['latchkey', ...(store === undefined ? [] : STORES[store].packages), ...(framework === 'koa' ? ['@koa/router'] : [])]
  const missing = wanted.filter((name) => !project.has(name) && !(name === 'ioredis' && project.has('redis')))
  // Node 20 cannot load TypeScript, and no version of Node finds `tokens.ts` if `tokens.js` is imported.
  const native = store !== undefined && Boolean(Reflect.get(process.features, 'typescript'))
  return project.typescript && !native && !project.has('jiti') ? [...missing, 'jiti'] : missing
}
