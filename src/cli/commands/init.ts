import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { type Command, Option } from 'commander'
import { isPrefix } from '../../token/parse.js'
import { CommandError, EXIT } from '../lib/fault.js'
import { type Streams, say, writeJson } from '../lib/output.js'
import { type Project, readProject } from '../lib/project.js'
import { configText, FRAMEWORKS, type Framework, routeText, STORES, type StoreName } from '../lib/templates.js'

type Options = { readonly framework?: Framework; readonly store?: StoreName; readonly prefix?: string; readonly json?: boolean }
type File = { readonly name: string; readonly text: string }

/** `init`, which works without a configuration. */
export function addInit(program: Command, streams: Streams): void {
  const command = program
    .command('init')
    .summary('write a configuration and a protected route for your framework')
    .description('Writes latchkey.config and, for the framework in package.json, a module with a protected route. Never overwrites a file.')
    .addOption(new Option('--framework <name>', 'the framework (default: the one in package.json)').choices(FRAMEWORKS))
    .addOption(
      new Option('--store <name>', 'where tokens are stored (default: by the driver in package.json)').choices(Object.keys(STORES)),
    )
    .option('--prefix <prefix>', 'what tokens begin with (default: the name in package.json, and _live)')
  command.action(() => init(streams, command.optsWithGlobals()))
}

async function init(streams: Streams, options: Options): Promise<void> {
  const project = await readProject(streams.cwd)
  const { framework = project.framework, store = project.store, prefix = project.prefix } = options
  if (!isPrefix(prefix)) throw new CommandError(EXIT.usage, '--prefix must be lower-case words joined by _, such as acme_live')
  const ending = project.typescript ? 'ts' : 'mjs'
  const files: readonly File[] = [
    { name: `latchkey.config.${ending}`, text: configText(store, prefix) },
    ...(framework === undefined ? [] : [{ name: `latchkey.routes.${ending}`, text: routeText(framework, project.typescript) }]),
  ]
  await writeAll(streams.cwd, files)
  const install = missingPackages(project, framework, store)
  if (options.json) return writeJson(streams, { files: files.map((file) => file.name), framework, store, prefix, install })
  for (const { name } of files) await say(streams, `Wrote ${name}.`)
  if (install.length > 0) await say(streams, `Next: npm install ${install.join(' ')}`)
  if (framework === undefined) await say(streams, `None of ${FRAMEWORKS.join(', ')} is in package.json, so no route was written.`)
  await say(streams, 'Then: npx latchkey create --name first --scope inventory:read')
}

async function writeAll(cwd: string, files: readonly File[]): Promise<void> {
  const there = files.find(({ name }) => existsSync(resolve(cwd, name)))
  if (there !== undefined) throw new CommandError(EXIT.failed, `${there.name} already exists; nothing was written`)
  for (const { name, text } of files) await writeFile(resolve(cwd, name), text, { flag: 'wx' })
}

function missingPackages(project: Project, framework: Framework | undefined, store: StoreName): readonly string[] {
  const wanted = ['latchkey', ...STORES[store].packages, ...(framework === 'koa' ? ['@koa/router'] : [])]
  const missing = wanted.filter((name) => !project.has(name) && !(name === 'ioredis' && project.has('redis')))
  // Node 20 reads no TypeScript of its own.
  return project.typescript && !Reflect.get(process.features, 'typescript') && !project.has('jiti') ? [...missing, 'jiti'] : missing
}
