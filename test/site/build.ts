import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { composePages } from './compose.js'
import { httpApiPage } from './http-api.js'
import { type Group, NAVIGATION } from './nav.js'

// `npm run docs:site`: composes the pages from docs/ and builds the site into test/site/dist. A dead link fails. `--dev` serves it instead.
process.chdir(fileURLToPath(new URL('../..', import.meta.url)))
const SITE = 'test/site'
const PAGES = join(SITE, 'pages')

function run(command: string, args: readonly string[]): void {
  const { status } = spawnSync(command, [...args], { cwd: SITE, stdio: 'inherit', shell: process.platform === 'win32' })
  if (status !== 0) process.exit(status ?? 1)
}

/** Installs the site's packages once per state of the lock file. */
function install(): void {
  const [lock, mark] = [join(SITE, 'package-lock.json'), join(SITE, 'node_modules/.package-lock.json')]
  if (existsSync(mark) && statSync(mark).mtimeMs >= statSync(lock).mtimeMs) return
  run('npm', ['ci', '--no-audit', '--no-fund', '--ignore-scripts'])
}

const titleOf = (path: string): string =>
  /^# (.*)$/m.exec(readFileSync(join(PAGES, `${path}.md`), 'utf8'))?.[1]?.replaceAll('`', '') ?? path

function entryOf(page: Group['pages'][number]): { text: string; link: string } {
  const [path, title] = typeof page === 'string' ? [page, undefined] : page
  const place = path.replace(/README$/, 'index')
  return { text: title ?? titleOf(place), link: `/${place.replace(/index$/, '')}` }
}

const groupOf = ({ text, pages }: Group): object => ({ text, collapsed: true, items: pages.map(entryOf) })

function writeNavigation(): void {
  const sidebar = NAVIGATION.map(({ kind, groups }) => ({
    text: kind,
    items: groups.length === 1 ? groups.flatMap(({ pages }) => pages.map(entryOf)) : groups.map(groupOf),
  }))
  const nav = NAVIGATION.map(({ kind, groups: [first] }) => ({ text: kind, link: entryOf(first?.pages[0] ?? 'getting-started').link }))
  writeFileSync(join(PAGES, 'navigation.json'), JSON.stringify({ nav, sidebar }))
}

install()
composePages(PAGES, { 'http-api.md': await httpApiPage() })
writeNavigation()
if (!process.argv.includes('--dev')) rmSync(join(SITE, 'dist'), { recursive: true, force: true })
run('node', ['node_modules/vitepress/bin/vitepress.js', process.argv.includes('--dev') ? 'dev' : 'build', '.'])
