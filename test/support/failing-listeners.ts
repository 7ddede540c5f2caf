/** Listeners of a host that fail, by how. */
export const FAILING_LISTENERS: readonly (readonly [how: string, listener: () => void])[] = [
  [
    'throws',
    () => {
      throw new Error('listener')
    },
  ],
  [
    'rejects',
    async () => {
      throw new Error('listener')
    },
  ],
]
