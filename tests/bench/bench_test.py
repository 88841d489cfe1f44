"""The parts of bench/ that need neither a GPU nor PyTorch nor matplotlib."""
from __future__ import annotations

import json
import pathlib
import sys
import tempfile
import unittest
from unittest import mock

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent / "bench"))

import carried_over
import cells
import plots
import results_file
import speed_table


def row(n: int, d: int, tflops: dict, dtype: str = "bf16", causal: bool = False) -> dict:
    one = cells.cell(dtype, 16384 // n, 2048 // d, 2048 // d, n, d, causal)
    return {**one, "tflops": tflops, "refused": {}, "carried_over": carried_over.carried_over(one)}


def result(*rows: dict, **head) -> dict:
    return {"gpu": "NVIDIA H200", "date": "2026-11-22", "commit": "abc", "rounds": 3, "ceiling_tflops": [780, 800, 790],
            **head, "rows": list(rows)}


class Cells(unittest.TestCase):
    def test_f16_peers_are_the_peers_in_f16(self):
        peers, in_f16 = cells.cells_of(["peers"]), cells.cells_of(["f16-peers"])
        self.assertEqual(len(in_f16), 24)
        self.assertEqual([{**cell, "dtype": "f16"} for cell in peers], in_f16)

    def test_backward_has_the_cells_of_forward_and_the_same_peers(self):
        forward, backward = cells.cells_of(["peers"]), cells.cells_of(["bwd-peers"])
        self.assertEqual([{**cell, "op": "bwd"} for cell in forward], backward)
        self.assertEqual([cells.peers_of(cell) for cell in forward], [cells.peers_of(cell) for cell in backward])

    def test_a_cell_of_two_sets_is_measured_once(self):
        both = cells.cells_of(["peers", "quick"])
        self.assertEqual(both, cells.cells_of(["peers"]))


class CarriedOver(unittest.TestCase):
    def test_only_the_two_cells_that_were_measured_have_a_figure(self):
        known = {(cell["d_qk"], cell["nq"]): carried_over.carried_over(cell)["triton"]["tflops"]
                 for cell in cells.cells_of(sorted(cells.SETS)) if carried_over.carried_over(cell)}
        self.assertEqual(known, {(64, 2048): 402.0, (128, 2048): 454.0})
        for change in ({"dtype": "bf16"}, {"causal": True}, {"hkv": 4}, {"nk": 4096}):
            cell = {**cells.cell("f16", 8, 16, 16, 2048, 128, False), **change}
            self.assertEqual(carried_over.carried_over(cell), {}, change)

    def test_a_figure_names_its_source(self):
        figure = carried_over.carried_over(cells.cell("f16", 8, 32, 32, 2048, 64, False))["triton"]
        self.assertIn("not interleaved", figure["source"])
        self.assertIn("2026-11-22", figure["source"])


class ResultsFile(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.path = pathlib.Path(self.folder.name)

    def test_each_store_replaces_the_file_of_the_run(self):
        run = result()
        for n in (512, 2048):
            run["rows"].append(row(n, 64, {"attune": [1.0]}))
            path = results_file.store(run, self.path)
            self.assertEqual(json.loads(path.read_text()), run)
        self.assertEqual([one.name for one in self.path.iterdir()], ["h200-2026-11-22-abc.json"])

    def test_without_rows_it_is_json_too(self):
        self.assertEqual(json.loads(results_file.text_of(result())), result())

    def test_the_newest_complete_comparison_of_a_grid_is_found(self):
        grid = [row(n, d, {"attune": [1.0]}) for n in (512, 2048) for d in (64, 128)]
        for run in (result(*grid, date="2026-01-01"), result(*grid, date="2026-02-01"),
                    result(*grid, date="2026-03-01", complete=False),
                    result(grid[0], date="2026-04-01")):
            results_file.store(run, self.path)
        results_file.store(result(*grid, date="2026-02-01", started="2026-02-01T12:00:00", commit="aaa"), self.path)
        (self.path / "tune-something.json").write_text("[]\n")
        (self.path / "attune-bench.json").write_text(json.dumps({"rows": grid}))
        self.assertEqual(results_file.newest(self.path).name, "h200-2026-02-01-aaa.json")
        with self.assertRaises(SystemExit):
            results_file.newest(self.path, "f16")


class Plots(unittest.TestCase):
    rows = [row(2048, 64, {"attune": [3.0, 1.0, 2.0], "fa2": [4.0], "cudnn": None}),
            row(512, 64, {"attune": [1.0], "fa2": None}),
            row(512, 64, {"attune": [5.0], "fa2": [2.0]}, causal=True)]

    def test_series_are_medians_by_length(self):
        first = plots.panels(self.rows)[(False, 64)]
        self.assertEqual(plots.series(first, "attune"), ([512, 2048], [1.0, 2.0]))
        self.assertEqual(plots.series(first, "fa2"), ([2048], [4.0]))
        self.assertEqual(plots.series(first, "cudnn"), ([], []))

    def test_a_ratio_needs_both(self):
        self.assertEqual(plots.ratios(self.rows), {(False, 64, 2048): 0.5, (True, 64, 512): 2.5})

    def test_the_grid_has_no_grouped_heads(self):
        grouped = {**self.rows[0], "hkv": 1}
        refused = row(8192, 64, {"attune": None, "fa2": [1.0]})
        self.assertEqual(results_file.grid_rows(result(*self.rows, grouped, refused)), self.rows)

    def test_drawing_twice_gives_the_same_bytes(self):
        try:
            import matplotlib  # noqa: F401
        except ImportError:
            self.skipTest("no matplotlib here")
        grid = result(*self.rows)
        first = plots.render(grid, "file.json", "bf16")
        self.assertEqual(first, plots.render(grid, "file.json", "bf16"))
        self.assertEqual(sorted(first), ["ratios-bf16.svg", "throughput-bf16.svg"])
        self.assertNotEqual(first, plots.render(grid, "other.json", "bf16"))


class SpeedTable(unittest.TestCase):
    rows = [row(2048, 64, {"attune": [200.0], "fa2": [400.0]}, dtype="f16"),
            row(2048, 128, {"attune": [300.0], "fa2": [150.0]}, dtype="f16")]

    def test_means_are_geometric(self):
        mean, count = speed_table.geometric_mean(self.rows, "fa2")
        self.assertAlmostEqual(mean, 1.0)
        self.assertEqual(count, 2)
        self.assertEqual(speed_table.geometric_mean(self.rows, "cudnn")[1], 0)

    def test_rows_have_their_ratio_and_what_is_carried_over(self):
        text = speed_table.speed_markdown(result(*self.rows), "bench/results/file.json")
        self.assertIn("| f16 | 32/32 | 2048 | 64 | no | 200 | 400 | 402 | 0.50 |", text)
        self.assertIn("| f16 | 16/16 | 2048 | 128 | no | 300 | 150 | 454 | 2.00 |", text)
        self.assertIn("reached 790", text)
        self.assertIn("1.00 of FlashAttention-2 (2 cells)", text)
        self.assertIn("¹ Carried over: " + carried_over.SOURCE, text)

    def test_only_the_block_is_replaced(self):
        document = "a\n" + speed_table.OPEN + "old\n" + speed_table.CLOSE + "b\n"
        expected = "a\n" + speed_table.OPEN + "new\n" + speed_table.CLOSE + "b\n"
        self.assertEqual(speed_table.replaced(document, "new\n"), expected)
        for broken in ("no markers\n", document + speed_table.OPEN):
            with self.assertRaises(SystemExit):
                speed_table.replaced(broken, "new\n")


class Compare(unittest.TestCase):
    """compare.py with PyTorch, the GPU and the library stood in for: what it stores, and when."""

    def run_with(self, measure, folder: str) -> int:
        torch = mock.MagicMock()
        modules = {"torch": torch, "torch.nn": torch.nn, "torch.nn.attention": torch.nn.attention,
                   "torch.nn.functional": torch.nn.functional}
        with mock.patch.dict(sys.modules, modules):
            for name in ("compare", "measuring", "providers"):
                sys.modules.pop(name, None)
            import compare

            head = {"gpu": "NVIDIA H200", "date": "2026-11-22", "commit": "abc"}
            with mock.patch.multiple(compare, Timer=mock.MagicMock(), Attune=mock.MagicMock(),
                                     describe_run=lambda *_: head, measure_cell=measure,
                                     Ceiling=lambda _: mock.Mock(tflops=lambda: 790.0)), \
                    mock.patch.object(compare.attune_ctypes, "Library"), \
                    mock.patch.object(compare.attune_ctypes, "find_library"), \
                    mock.patch.object(sys, "argv", ["compare.py", "--cells", "f16-peers", "--out", folder]), \
                    mock.patch("builtins.print"):
                return compare.main()

    @staticmethod
    def measured(cell, *_):
        return {**cell, "tflops": {"attune": [1.0], "fa2": [2.0]}, "config": None, "match": None, "error": None,
                "refused": {}, "carried_over": carried_over.carried_over(cell)}

    def stored(self, folder: str) -> dict:
        return json.loads((pathlib.Path(folder) / "h200-2026-11-22-abc.json").read_text())

    def test_a_run_that_is_cut_short_keeps_what_it_measured(self):
        calls = []

        def measure(cell, *rest):
            if len(calls) == 2:
                raise KeyboardInterrupt
            calls.append(cell)
            return self.measured(cell, *rest)

        with tempfile.TemporaryDirectory() as folder:
            with self.assertRaises(KeyboardInterrupt):
                self.run_with(measure, folder)
            self.assertEqual(len(self.stored(folder)["rows"]), 2)
            self.assertIs(self.stored(folder)["complete"], False)

    def test_a_whole_run_says_that_it_is_complete(self):
        with tempfile.TemporaryDirectory() as folder:
            self.assertEqual(self.run_with(self.measured, folder), 0)
            self.assertEqual(len(self.stored(folder)["rows"]), 24)
            self.assertIs(self.stored(folder)["complete"], True)

    def test_a_cell_that_attune_refuses_is_a_failure(self):
        def refuse(cell, *rest):
            return {**self.measured(cell, *rest), "refused": {"attune": "no"}}

        with tempfile.TemporaryDirectory() as folder:
            self.assertEqual(self.run_with(refuse, folder), 1)


if __name__ == "__main__":
    unittest.main()
