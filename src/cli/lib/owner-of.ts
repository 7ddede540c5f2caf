/** Describes an owner in a confirmation question. */
export function ownerOf(ownerId: string, tenantId: string | undefined): string {
  const where = tenantId === undefined ? 'EVERY tenant' : `tenant ${JSON.stringify(tenantId)}`
  return `owner ${JSON.stringify(ownerId)} in ${where}`
}

/** Says how many tokens were revoked. If there were none, the ID may be misspelled, so it is repeated. */
export function toldOf(count: number, whose: string): string {
  const why = count > 0 || whose === '' ? '' : `: no token of ${whose} was left to revoke`
  return `Revoked ${count} token${count === 1 ? '' : 's'}${why}.`
}
