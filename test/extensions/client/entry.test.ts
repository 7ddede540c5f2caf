import { brotliCompressSync } from 'node:zlib'
import { build } from 'esbuild'
import { expect, it } from 'vitest'

it('the client is a few kilobytes that need nothing but the platform', async () => {
  const { outputFiles, metafile } = await build({
    entryPoints: ['src/extensions/client/index.ts'],
    bundle: true,
    minify: true,
    write: false,
    metafile: true,
    format: 'esm',
    // Knows no module of any platform: an import of `node:` would fail.
    platform: 'neutral',
  })
  const inputs = Object.keys(metafile.inputs)
  expect(inputs.filter((path) => !path.startsWith('src/extensions/client/'))).toEqual(['src/errors.ts', 'src/token/redact.ts'])
  expect(inputs.filter((path) => path.includes('/node'))).toEqual([])
  expect(brotliCompressSync(outputFiles[0]?.contents ?? '').byteLength).toBeLessThan(4700)
})
