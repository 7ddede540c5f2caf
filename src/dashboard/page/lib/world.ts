import { type Context, createContext } from 'preact'
import { useContext } from 'preact/hooks'
import type { World } from './types.js'

/** Context of every part of the page: the current user, and what can be granted. */
export const WorldContext: Context<World | undefined> = createContext<World | undefined>(undefined)

export function useWorld(): World {
  const world = useContext(WorldContext)
  if (world === undefined) throw new Error('useWorld() was called outside of WorldContext.Provider')
  return world
}
