def test_a(finished_run):
    print(finished_run, sorted((p.name, p.stat().st_size) for p in finished_run.path.iterdir()))
    print((finished_run.path/"report.json").read_text()[:1500])
    print((finished_run.path/"events.jsonl").read_text())
    print((finished_run.path/"worker.log").read_text()[-1500:])
