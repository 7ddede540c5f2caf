export { type CopiedPart, type CopyOptions, type CopyProgress, type CopyReport, type CopyStep, copy } from './copy.js'
export type { PartName } from './part.js'
