"""Choice of the sides: each a run or a group of runs over seeds, kept in the address."""

from collections import Counter
from collections.abc import Collection, Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.ui.address import bad_link
from pages.ui.components import choice, pick_split
from pages.ui.places import beside
from pneumo_core.evaluation.comparison import Comparison, Pair
from pneumo_core.inference.compared import Group, balanced_pairs, groups
from pneumo_core.inference.nearest import nearest
from pneumo_core.records import Split

Ids = tuple[str, ...]


def options(found: Sequence[Group]) -> dict[Ids, str]:
    """Possible sides with their names: groups of two or more seeds first, then every single run."""
    several = {group.run_ids: f"{group.name} · {len(group.seeds)} seeds" for group in found if len(group.seeds) > 1}
    single = {
        (run_id,): f"{group.name}{'' if group.balance is None else f' · seed {seed}'} · {run_id[-6:]}"
        for group in found
        for run_id, seed in zip(group.run_ids, group.seeds, strict=True)
    }
    names = Counter(several.values())
    # Groups may differ in a setting that is not in their name.
    return {ids: f"{name} · {ids[0][-6:]}" if names[name] > 1 else name for ids, name in several.items()} | single


def usual_sides(found: Sequence[Group]) -> tuple[Ids, Ids] | None:
    """The report's question: original against generated images, the pair with the most seeds; else any two."""
    if pairs := balanced_pairs(found):
        return pairs[0][0].run_ids, pairs[0][1].run_ids
    everything = [ids for ids in options(found) if len(ids) == 1]
    same_data = {ids: group.data_id for group in found for ids in [(run_id,) for run_id in group.run_ids]}
    for place, a in enumerate(everything):
        for b in everything[place + 1 :]:
            if same_data[a] == same_data[b]:
                return a, b
    return (everything[0], everything[1]) if len(everything) > 1 else None


def pick_sides(lists: DeltaGenerator, row: DeltaGenerator) -> tuple[Ids, Ids]:
    """Let the reader choose both sides; the choice is in the address (``?a=ID,ID&b=ID``).

    Args:
        lists: Place of the lists.
        row: Place of the button that swaps them.

    Ends the page with what to do next where there are not two runs to compare, or where the address names an unknown one.
    """
    found = groups()
    usual = usual_sides(found)
    if usual is None:
        st.info("A comparison needs two finished runs. Train another one: the quick preset takes about a minute.")
        st.page_link("pages/train.py", label="Go to Train", icon=":material/model_training:")
        st.stop()
    known = options(found)
    sides = _sides(known, usual)
    with lists:
        places = dict(zip(("a", "b"), beside(gap="small"), strict=True))
    # The keys hold the address's choice: a link opened in the same session takes precedence over an earlier choice.
    if row.button("Swap A and B", key="swap", icon=":material/swap_horiz:"):
        sides.reverse()
    for name, side in zip(("a", "b"), sides, strict=True):
        st.session_state[f"side_{name}"] = side
    a, b = (
        place.selectbox(
            name.upper(),
            known,
            format_func=known.__getitem__,
            key=f"side_{name}",
            on_change=_remember,
            args=(name,),
        )
        for name, place in places.items()
    )
    for name, side in (("a", a), ("b", b)):
        st.session_state[f"compared_{name}"] = st.query_params[name] = ",".join(side)
    if both := set(a) & set(b):
        there = "It is in A and in B: choose another one for A or B."
        button = "Compare A with the run nearest to it"
        bad_link("comparison with itself for the run", min(both), there, button=button, names=["b"])
    return a, b


def _sides(known: dict[Ids, str], usual: tuple[Ids, Ids]) -> list[Ids]:
    """The sides of the address; one that it does not name is the nearest to the other."""
    a, b = (_requested(known, name) for name in ("a", "b"))
    if a is None and b is None:
        return list(usual)
    if a is None or b is None:
        given = a or b or usual[0]
        other = nearest(given, list(known)) or next(side for side in usual if side != given)
        return [given, other] if a else [other, given]
    return [a, b]


def pick_compared_split(evident: Collection[Split]) -> Split:
    """Let the reader choose the split (``?split=``), test first."""
    known = [split for split in (Split.TEST, Split.VAL, Split.STRESS) if split in evident]
    return pick_split(known, "in_split") if known else Split.TEST


def pick_pair(comparison: Comparison, part: str) -> Pair:
    """The two runs that a part of the page shows: the only pair, or the pair of the chosen seed."""
    if len(comparison.pairs) == 1:
        return comparison.pairs[0]
    seeds = dict(zip(comparison.a.run_ids, comparison.a.seeds, strict=True))
    others = dict(zip(comparison.b.run_ids, comparison.b.seeds, strict=True))
    names = [_pair_name(seeds[pair.a], others[pair.b]) for pair in comparison.pairs]
    place = choice("Runs", range(len(names)), format_func=names.__getitem__, key=f"pair {part}")
    return comparison.pairs[place]


def _remember(name: str) -> None:
    st.query_params[name] = ",".join(st.session_state[f"side_{name}"])


def _requested(known: dict[Ids, str], name: str) -> Ids | None:
    """The side in the address; a group that is given run by run is added to the options.

    Ends the page where it names no run, or one that is not known.
    """
    text = st.query_params.get(name) or st.session_state.get(f"compared_{name}")
    if not text:
        return None
    # The same id twice is one run.
    ids = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    single = {run_id for side in known for run_id in side}
    if unknown := [run_id for run_id in ids or (text,) if run_id not in single]:
        there = f"The address has it for {name.upper()}; there are {len(single)} runs to compare."
        bad_link("finished classifier", unknown[0], there, button="Show the usual comparison", names=["a", "b"])
    match = next((side for side in known if set(side) == set(ids)), None)
    if match is None:
        known[ids] = f"{len(ids)} runs: {', '.join(run_id[-6:] for run_id in ids)}"
    return match or ids


def _pair_name(a: int, b: int) -> str:
    return f"seed {a}" if a == b else f"seeds {a} and {b}"
