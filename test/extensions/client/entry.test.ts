import { brotliCompressSync } from 'node:zlib'
import { build } from 'esbuild'
import { expect, it } from 'vitest'

it('the client bundle is a few kilobytes and depends only on the platform', async () => {
  const { outputFiles, metafile } = await build({
    entryPoints: ['src/extensions/client/index.ts'],
    bundle: true,
    minify: true,
    write: false,
    metafile: true,
    format: 'esm',
    // The neutral platform provides no modules, so importing a `node:` module would fail.
    platform: 'neutral',
  })
  const inputs = Object.keys(metafile.inputs)
  expect(inputs.filter((path) => !path.startsWith('src/extensions/client/'))).toEqual(['src/errors.ts', 'src/token/redact.ts'])
  expect(inputs.filter((path) => path.includes('/node'))).toEqual([])
  expect(brotliCompressSync(outputFiles[0]?.contents ?? '').byteLength).toBeLessThan(6500)
})
