// Builds the page after `npm ci` in a clone. If its tools are not installed (`npm ci --omit=dev`), it reports that and exits normally; with
// `--required`, as before packing, it fails. npm runs it as the script `dependencies`, because npm warns users who install a package with a
// script `prepare`.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const required = process.argv.includes('--required')
const tools = ['tsx', 'esbuild', 'preact', 'uplot']

const isInstalled = (name) => {
  try {
    import.meta.resolve(name)
    return true
  } catch {
    return false
  }
}

const missing = tools.filter((name) => !isInstalled(name))
if (missing.length > 0) {
  const why = `development dependencies are not installed (${missing.join(', ')})`
  console.log(required ? `latchkey: cannot build the page: ${why}; run \`npm ci\` first.` : `latchkey: the page was not built: ${why}.`)
  process.exitCode = required ? 1 : 0
} else {
  const page = fileURLToPath(new URL('page.ts', import.meta.url))
  process.exitCode = spawnSync(process.execPath, ['--import', 'tsx', page], { stdio: 'inherit' }).status ?? 1
}
