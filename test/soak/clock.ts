/** The clock that all processes of this machine share, in milliseconds. */
export const monotonic = (): number => Number(process.hrtime.bigint()) / 1e6
