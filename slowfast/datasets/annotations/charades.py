"""Charades' official csv: actions with start and stop in one column, any number a video."""

from slowfast.datasets.annotations.lines import Problems, parse_class, read_table


def read_charades_csv(path, num_classes=None, *, skip_bad_lines=False):
    """[(video id, [(class, start, stop), ...])], times in seconds; a video may have no action at all.

    Args:
        path: Charades_v1_train.csv or Charades_v1_test.csv: columns "id" and "actions" ("c092 11.90 21.20;...").
        num_classes: labels must be below; None: unchecked.
        skip_bad_lines: leave out rows that do not fit, with a warning.
    Raises:
        UserError: a row that does not fit, by file and line.
    Source: the README of the Charades annotations.
    """
    problems, rows = Problems(path, skip_bad_lines), []
    for number, row in read_table(path, ("id", "actions")):
        try:
            actions = [_parse_action(text, num_classes) for text in row["actions"].split(";") if text.strip()]
            if not row["id"]:
                raise ValueError("the column 'id' is empty")
        except ValueError as error:
            problems.add(number, str(error))
        else:
            rows.append((row["id"], actions))
    problems.settle(len(rows))
    return rows


def _parse_action(text, num_classes):
    fields = text.split()
    if len(fields) != 3 or fields[0][:1] != "c":
        raise ValueError(f"got action {text!r}, expected 'c092 11.90 21.20' (class, start, stop)")
    label, problem = parse_class(fields[0][1:], num_classes)
    if problem:
        raise ValueError(problem)
    return label, float(fields[1]), float(fields[2])
