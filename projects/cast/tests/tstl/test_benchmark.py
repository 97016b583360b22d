"""The benchmark of TSTL runs, and its sizes are those of the published network."""

from projects.cast import benchmark_tstl


def test_speed(capsys):
    assert benchmark_tstl.main(["--repeats", "1", "--batch", "4", "--experts", "3", "--threads", "1"]) == 0
    told = capsys.readouterr().out
    assert "one clip at a time" in told and "times the clips a second" in told


def test_weights_of_the_published_size():
    whole, trained = benchmark_tstl.file_weights(benchmark_tstl.parse_args(["--size", "base"]))
    assert whole == 4 * 217_228_590
    assert trained == 4 * (15 * 45_205_038 + 45_082_767) + 8 * 174  # experts, selector, groups
    assert trained / (16 * whole) < 0.27
    assert (trained + 4 * 172_023_552) / (16 * whole) < 0.27  # with the trunk, as in memory
