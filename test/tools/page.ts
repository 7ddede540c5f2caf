// Bundles the page into src/dashboard/assets.js, so the library serves it without reading a file. `npm run page`.
import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { build, type Plugin } from 'esbuild'

const root = fileURLToPath(new URL('../..', import.meta.url))
const target = `${root}src/dashboard/assets.js`

/** uPlot as its authors minified it, which compresses better than the output of esbuild. It is placed unchanged before the page's own code. */
const plot = (await readFile(`${root}node_modules/uplot/dist/uPlot.iife.min.js`, 'utf8')).replace(/^\/\*.*?\*\/\s*/s, '').trimEnd()
const beforePage: Plugin = {
  name: 'before-page',
  setup: (esbuild) => esbuild.onLoad({ filter: /uPlot\.esm\.js$/ }, () => ({ contents: 'export default uPlot' })),
}

const buildPage = () =>
  build({
    absWorkingDir: root,
    entryPoints: { page: 'src/dashboard/page/main.tsx', style: 'src/dashboard/page/page.css' },
    outdir: 'out',
    bundle: true,
    minify: true,
    write: false,
    metafile: true,
    format: 'esm',
    target: ['es2022', 'chrome123', 'firefox120', 'safari17.5'],
    charset: 'utf8',
    legalComments: 'none',
    jsx: 'automatic',
    jsxImportSource: 'preact',
    tsconfigRaw: {},
    banner: { js: plot },
    plugins: [beforePage],
  })

/** The source files of the page. */
export const pageInputs = async (): Promise<readonly string[]> => Object.keys((await buildPage()).metafile.inputs)

/** The text of the generated module. */
export const bundle = async (): Promise<string> => {
  const { outputFiles } = await buildPage()
  const textOf = (ending: string): string => outputFiles.find(({ path }) => path.endsWith(ending))?.text.trimEnd() ?? ''
  return [
    '// Made by `npm run page` from the folder src/dashboard/page/. Do not edit.',
    `/** The page's script. */\nexport const script =\n  ${quoted(textOf('.js'))}`,
    `/** The page's style. */\nexport const style =\n  ${quoted(textOf('.css'))}\n`,
  ].join('\n')
}

/** Throws if the page has not been built, so no package is made without it. */
export const requirePage = (path: string = target): void => {
  if (!existsSync(path)) throw new Error('The page is not built, and the package must not be packed without it: run `npm run page` first.')
}

const quoted = (text: string): string => `'${JSON.stringify(text).slice(1, -1).replace(/\\"/g, '"').replace(/'/g, "\\'")}'`

if (process.argv[1] === fileURLToPath(import.meta.url)) await writeFile(target, await bundle())
