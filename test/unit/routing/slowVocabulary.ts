/**
 * Vocabulary specialisation of one expert, one pair of places at a time: the mean over its tokens of the share of the other
 * places of the same token that chose it.
 */
export function slowVocabulary(places: readonly { id: number; chose: boolean }[]): number {
  const shares: number[] = [];
  for (const [at, place] of places.entries()) {
    const others = places.filter((other, index) => index !== at && other.id === place.id);
    if (place.chose && others.length > 0) shares.push(others.filter(({ chose }) => chose).length / others.length);
  }
  return shares.length === 0 ? 0 : shares.reduce((sum, share) => sum + share, 0) / shares.length;
}
