/** Describes an owner in a confirmation question. */
export function ownerOf(ownerId: string, tenantId: string | undefined): string {
  const where = tenantId === undefined ? 'EVERY tenant' : `tenant ${JSON.stringify(tenantId)}`
  return `owner ${JSON.stringify(ownerId)} in ${where}`
}
