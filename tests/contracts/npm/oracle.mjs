// Prints the dump, the root and every proof of a tree, by OpenZeppelin's own library.
import { readFileSync } from "node:fs";
import { StandardMerkleTree } from "@openzeppelin/merkle-tree";

const values = JSON.parse(readFileSync(process.argv[2], "utf8"));
const tree = StandardMerkleTree.of(values, ["uint8", "address", "uint256"]);
const proofs = values.map((_, index) => tree.getProof(index));
process.stdout.write(
  JSON.stringify({ root: tree.root, dump: JSON.stringify(tree.dump()), proofs }),
);
