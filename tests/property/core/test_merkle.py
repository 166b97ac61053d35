"""The Merkle tree over random leaves, against `multiproof`."""

from hypothesis import given, settings
from hypothesis import strategies as st
from multiproof import StandardMerkleTree

from distributary.merkle import (
    LEAF_ENCODING,
    build_by_kernel,
    build_in_python,
    build_tree,
    load_tree,
    proof_holds,
)

VALUES = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.binary(min_size=20, max_size=20).map(lambda data: "0x" + data.hex()),
        st.integers(0, 2**256 - 1),
    ),
    min_size=1,
    max_size=40,
    unique_by=lambda value: value[:2],
)


@given(VALUES)
def test_build_tree__random_leaves__is_the_one_of_multiproof_and_proves_each(
    values: list[tuple[int, str, int]],
) -> None:
    tree = build_tree(values)
    assert tree.root == StandardMerkleTree.of([list(v) for v in values], list(LEAF_ENCODING)).root
    assert all(proof_holds(tree.root, v, tree.proof(n)) for n, v in enumerate(values))
    assert load_tree(b"".join(tree.dump())) == tree


@given(VALUES, st.randoms())
def test_root__of_leaves_in_another_order__is_the_same(values, random) -> None:  # type: ignore[no-untyped-def]
    shuffled = list(values)
    random.shuffle(shuffled)
    assert build_tree(shuffled).root == build_tree(values).root


@settings(deadline=None)  # the first example compiles
@given(VALUES)
def test_build_by_kernel__random_leaves__is_the_tree_in_python(
    values: list[tuple[int, str, int]],
) -> None:
    compiled, plain = build_by_kernel(values), build_in_python(values)
    assert compiled.nodes == plain.nodes
    assert list(compiled.places) == list(plain.places)
