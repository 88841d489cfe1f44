"""What is made of results: files, tables and figures; drawing them is tested where matplotlib is."""
from __future__ import annotations

import csv
import io
import json
import pathlib
import re
import tempfile
import unittest
from xml.etree import ElementTree

from sample_results import result, row

import carried_over
import cells
import figures
import plots
import report
import results_file
import speed_table


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
        self.assertIsNone(results_file.newest_decoding(self.path))
        decode = [{**cell, "tflops": {"attune": [20.0]}, "refused": {}} for cell in cells.cells_of(["decode"])]
        for date, rows in (("2025-12-01", decode), ("2025-12-02", decode), ("2025-12-03", decode[:1])):
            results_file.store(result(*rows, date=date), self.path)
        self.assertEqual(results_file.newest_decoding(self.path).name, "h200-2025-12-02-abc.json")


class Report(unittest.TestCase):
    reason = "out of memory: CUDA out of memory, 32 GiB"

    def setUp(self):
        decode = {**cells.cells_of(["decode"])[0], "tflops": {"attune": [20.0, 20.0], "fa2": [10.0, 10.0]},
                  "refused": {}}
        refused = {**row(16384, 64, {"attune": [300.0, 310.0], "fa2": [300.0, 310.0], "math": None}, causal=True),
                   "refused": {"math": self.reason}}
        self.result = result(refused, decode, ceiling_tflops=[790.0, 780.0])

    def test_csv_has_a_line_for_each_provider_of_each_cell(self):
        records = list(csv.DictReader(io.StringIO(report.csv_text(self.result))))
        self.assertEqual([record["provider"] for record in records], ["attune", "fa2", "math", "attune", "fa2"])
        attune, fa2, math_backend, _, decode = records
        self.assertEqual((attune["tflops"], attune["tflops_min"], attune["verdict"]), ("305", "300", ""))
        self.assertEqual((fa2["attune_ratio"], fa2["verdict"], fa2["ceiling_tflops"]), ("1", "tied", "790"))
        self.assertEqual((math_backend["tflops"], math_backend["reason"]), ("", self.reason))
        self.assertEqual((decode["timing"], decode["verdict"], decode["mask"]), ("replay", "won", "none"))
        self.assertAlmostEqual(float(decode["microseconds"]), 4 * 8 * 32 * 8192 * 128 / 10e12 * 1e6, 2)

    def test_markdown_shows_ratio_interval_verdict_and_refusals(self):
        text = report.markdown_text(self.result)
        self.assertIn("| fwd bf16 B=1 H=32 N=16384 D=64 causal | 305 | 305; 1.00 (1.00 to 1.00) tied | out of memory |",
                      text)
        self.assertIn("| fwd bf16 B=8 H=32/8 N=1x8192 D=128 | 53.7 | 107.4; 2.00 (2.00 to 2.00) won |", text)
        self.assertIn("780 to 790 TFLOP/s", text)
        self.assertNotIn("Not complete", text)
        self.assertIn("Not complete", report.markdown_text({**self.result, "complete": False}))

    def test_files_of_another_json_are_found(self):
        with tempfile.TemporaryDirectory() as folder:
            paths = report.store_all(self.result, pathlib.Path(folder))
            self.assertEqual([path.suffix for path in paths], [".json", ".csv", ".md"])
            self.assertEqual(report.differing(pathlib.Path(folder)), [])
            paths[2].write_text("something else\n")
            self.assertEqual(report.differing(pathlib.Path(folder)), [paths[2]])

    def test_problems_are_told_apart(self):
        every = cells.cells_of(sorted(cells.SETS))
        self.assertEqual(len({report.problem_text(cell) for cell in every}), len(every))


class Figures(unittest.TestCase):
    rows = [row(2048, 64, {"attune": [3.0, 1.0, 2.0], "fa2": [4.0, 4.0, 4.0], "cudnn": None}),
            row(512, 64, {"attune": [1.0], "fa2": None}),
            row(512, 64, {"attune": [5.0], "fa2": [2.0]}, causal=True)]

    def data(self, kind: str, **head) -> dict:
        return figures.figure_data(figures.Figure(kind, "fwd", "bf16"), result(*self.rows, **head), "file.json")

    def test_series_are_medians_by_length(self):
        self.assertEqual(self.data("throughput")["series"], {
            "attune": [[False, 64, 512, 1.0], [False, 64, 2048, 2.0], [True, 64, 512, 5.0]],
            "fa2": [[False, 64, 2048, 4.0], [True, 64, 512, 2.0]]})

    def test_the_ceiling_is_that_of_the_run(self):
        self.assertEqual(self.data("throughput", ceiling_tflops=[700, 750, 800])["ceiling"], 750)

    def test_a_ratio_needs_both(self):
        found = self.data("ratios")["ratios"]
        self.assertEqual([cell[:3] for cell in found["fa2"]], [[False, 64, 2048], [True, 64, 512]])
        self.assertEqual(found["fa2"][1][3:], [2.5, "one round"])
        self.assertEqual(list(found), ["fa2"])

    def test_the_grid_has_no_other_cells(self):
        grouped = {**self.rows[0], "hkv": 1}
        refused = row(8192, 64, {"attune": None, "fa2": [1.0]})
        replayed = {**self.rows[0], "timing": "replay"}
        self.assertEqual(results_file.grid_rows(result(*self.rows, grouped, refused, replayed)), self.rows)

    def test_the_hash_is_of_the_data(self):
        first = figures.digest(self.data("ratios"))
        self.assertEqual(first, figures.digest(self.data("ratios")))
        self.assertNotEqual(first, figures.digest(self.data("ratios", commit="def")))
        self.assertNotEqual(first, figures.digest(self.data("throughput")))

    def test_a_figure_of_other_data_is_found_without_drawing(self):
        wanted = "sha256:" + "0" * 64
        right = f"matplotlib {figures.pinned_matplotlib()} {wanted}"
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "figure.png"
            self.assertIn("missing", figures.complaint_about(path, wanted))
            for content, complaint in ((right.replace("0000", "0001", 1), "other data"), ("", "other data"),
                                       (f"matplotlib 1.0 {wanted}", "not drawn with"), (wanted, "not drawn with")):
                path.write_text(content)
                self.assertIn(complaint, figures.complaint_about(path, wanted))
            path.write_text(right)
            self.assertIsNone(figures.complaint_about(path, wanted))

    def test_every_figure_of_readme_is_one_that_is_checked(self):
        shown = re.findall(r"docs/plots/([\w-]+)\.svg", (plots.ROOT / "README.md").read_text())
        checked = [figure.stem for op, dtype in plots.IN_README for figure in figures.figures(op, dtype)]
        self.assertLessEqual(set(checked), set(shown))
        self.assertLessEqual(set(shown), {*checked, "training-losses"})
        self.assertLessEqual({path.stem for path in plots.PLOTS.iterdir()}, {*checked, "training-losses"})

    def test_drawing_twice_gives_the_same_bytes(self):
        if plots.installed_matplotlib() is None:
            self.skipTest("no matplotlib here")
        from drawing import render

        for kind in ("throughput", "ratios"):
            data = self.data(kind)
            first = render(data, figures.digest(data))
            self.assertEqual(first, render(data, figures.digest(data)))
            for content in first.values():
                self.assertEqual(figures.DIGEST.findall(content), [figures.digest(data).encode()])
            self.assertNotEqual(first, render(data, "sha256:" + "0" * 64))


class Training(unittest.TestCase):
    one = {"device": "CPU", "date": "2026-11-25", "commit": "abc", "dtype": "f32", "parameters": 120_000,
           "tokens_per_step": 192, "final_loss": {"attune": 2.5, "torch": 2.5},
           "losses": {"attune": [4.0, 3.0, 2.5], "torch": [4.0, 3.0, 2.5]}}

    def test_losses_are_drawn_as_well_formed_svg(self):
        text = plots.svg_of({**self.one, "device": "A & B <C>"})
        lines = ElementTree.fromstring(text).findall("{http://www.w3.org/2000/svg}polyline")
        self.assertEqual([len(line.get("points").split()) for line in lines], [3, 3])
        self.assertEqual(lines[0].get("points"), lines[1].get("points"))

    def test_ticks_are_round_numbers(self):
        from loss_plot import tick_distance

        for largest, distance in ((4.2, 1), (41, 10), (400, 100), (120, 20), (99, 10), (0.3, 0.05)):
            self.assertAlmostEqual(tick_distance(largest), distance, msg=largest)

    def test_the_newest_training_is_shown(self):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            self.assertIsNone(plots.training_figure(folder, folder))
            for date in ("2026-11-25", "2026-11-26", "2026-11-24"):
                (folder / f"training-cpu-{date}-abc.json").write_text(json.dumps({**self.one, "date": date}))
            path, svg = plots.training_figure(folder, folder)
            self.assertEqual(path.name, "training-losses.svg")
            self.assertIn("2026-11-26", svg)


class SpeedTable(unittest.TestCase):
    rows = [row(2048, 64, {"attune": [200.0], "fa2": [400.0]}, dtype="f16"),
            row(2048, 128, {"attune": [300.0], "fa2": [150.0]}, dtype="f16")]

    def test_rows_have_their_ratio_and_what_is_carried_over(self):
        text = speed_table.forward_markdown(result(*self.rows), "bench/results/file.json")
        self.assertIn("| f16 | 8 | 32/32 | 2048 | 64 | no | 200 | 400 | 402 | 0.50 |", text)
        self.assertIn("| f16 | 8 | 16/16 | 2048 | 128 | no | 300 | 150 | 454 | 2.00 |", text)
        self.assertIn("reached 790", text)
        self.assertIn("1.00 of FlashAttention-2 (2 cells)", text)
        self.assertIn("¹ Carried over: " + carried_over.SOURCE, text)

    def test_what_is_replayed_has_a_table_of_its_own(self):
        decode = {**cells.cells_of(["decode"])[0], "tflops": {"attune": [20.0], "cudnn": [10.0]}, "refused": {}}
        text = speed_table.forward_markdown(result(*self.rows, decode), "bench/results/file.json")
        self.assertIn("| bf16 | 8 | 32/8 | 1 x 8192 | 128 | no | 53.7 | 107.4 | 2.00 |", text)

    def test_decoding_that_another_run_measured_stands_by_itself(self):
        decode = [{**cell, "tflops": {"attune": [20.0], "cudnn": [10.0]}, "refused": {}}
                  for cell in cells.cells_of(["decode"])]
        (speed_table.ROOT / "build").mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=speed_table.ROOT / "build") as folder:
            backward = {**row(2048, 64, {"attune": [200.0]}), "op": "bwd"}
            files = [results_file.store(result(*rows, commit=name), pathlib.Path(folder))
                     for name, rows in (("fwd", self.rows), ("bwd", [backward]), ("one", decode))]
            both = results_file.store(result(*self.rows, *decode, commit="all"), pathlib.Path(folder))
            apart = speed_table.speed_markdown(*files)
            self.assertEqual(apart.count("| 1 x 8192 | 128 | no | 53.7 | 107.4 | 2.00 |"), 1)
            self.assertIn("h200-2026-11-22-one.json", apart)
            self.assertNotIn("h200-2026-11-22-one.json", speed_table.speed_markdown(both, *files[1:]))

    def test_backward_has_the_rows_of_backward(self):
        backward = {**row(2048, 64, {"attune": [200.0], "fa2": [100.0]}), "op": "bwd"}
        text = speed_table.backward_markdown(result(*self.rows, backward), "bench/results/file.json")
        self.assertIn("| bf16 | 8 | 32/32 | 2048 | 64 | no | 200 | 100 | 2.00 |", text)
        self.assertNotIn("f16 | 8 | 16/16", text)

    def test_only_the_block_is_replaced(self):
        document = "a\n" + speed_table.OPEN + "old\n" + speed_table.CLOSE + "b\n"
        expected = "a\n" + speed_table.OPEN + "new\n" + speed_table.CLOSE + "b\n"
        self.assertEqual(speed_table.replaced(document, "new\n"), expected)
        for broken in ("no markers\n", document + speed_table.OPEN):
            with self.assertRaises(SystemExit):
                speed_table.replaced(broken, "new\n")


if __name__ == "__main__":
    unittest.main()
