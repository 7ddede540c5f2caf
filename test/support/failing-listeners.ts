/** Failing listeners of a host, by the way in which they fail. */
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
