/**
 * Approvals that want one person of each of several groups. A person may be in more than one of them and answers for one; for which need not be said, since
 * people are placed so that as many groups as possible have one of their own (a maximum matching by augmenting paths, H. W. Kuhn, 1955).
 */

/** Groups of which somebody could still stand for one that has nobody: none once each group has a person of its own. `people`: the groups of each. */
export function groupsWanted(groups: readonly string[], people: readonly (readonly string[])[]): readonly string[] {
  const covered = groupsCovered(groups, people);
  return groups.filter((group) => groupsCovered(groups, [...people, [group]]) > covered);
}

/** How many of the groups have a person of their own. */
export function groupsCovered(groups: readonly string[], people: readonly (readonly string[])[]): number {
  const standsFor = new Map<string, number>();
  const place = (person: number, tried: Set<string>): boolean => {
    for (const group of people[person] ?? []) {
      if (!groups.includes(group) || tried.has(group)) continue;
      tried.add(group);
      const other = standsFor.get(group);
      // Whoever stands for the group makes room where another group takes them.
      if (other !== undefined && !place(other, tried)) continue;
      standsFor.set(group, person);
      return true;
    }
    return false;
  };
  return people.filter((_groups, person) => place(person, new Set())).length;
}
