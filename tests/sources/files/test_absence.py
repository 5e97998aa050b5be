"""Why a file is not found: removed, hidden by its folder, or no longer asked for."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from exporter.sources.base import Batch, Hidden, RefreshContext, Retraction, Unreadable
from exporter.sources.files.absence import absences, nothing_found
from exporter.sources.files.source import FilesSource
from tests.sources.files.test_source import context
from tests.support.export_rows import export_row, write_json_lines

__all__ = ["context"]


def test_a_file_that_was_removed_from_a_folder_with_others_is_gone(tmp_path: Path) -> None:
    left = tmp_path / "b.csv"
    left.touch()
    absent = absences([str(tmp_path / "a.csv")], [left], [str(tmp_path / "*.csv")])
    assert (absent.unseen, absent.doubts, absent.unwanted) == (set(), {}, set())


def test_files_below_a_folder_that_has_none_any_more_may_not_be_mounted(tmp_path: Path) -> None:
    left = tmp_path / "x" / "b.csv"
    left.parent.mkdir()
    left.touch()
    mounted, gone = tmp_path / "y", tmp_path / "z"
    mounted.mkdir()
    patterns = [str(tmp_path / "x" / "*.csv"), str(mounted / "**" / "*.csv"), str(gone / "a.csv")]
    missing = [str(mounted / "deep" / "a.csv"), str(gone / "a.csv")]
    assert absences(missing, [left], patterns).doubts == {
        missing[0]: f"no file is left at {mounted}, which may not be mounted",
        missing[1]: f"no file is left at {gone / 'a.csv'}, which may not be mounted",
    }
    # A pattern that reaches further still finds files.
    assert absences(missing[:1], [left], [*patterns, str(tmp_path / "**")]).doubts == {}


def test_a_file_that_is_still_there_is_no_longer_asked_for(tmp_path: Path) -> None:
    file, left = tmp_path / "a.csv", tmp_path / "b.csv"
    file.touch()
    absent = absences([str(file)], [left], [str(left)])
    assert absent.unwanted == {str(file)}


def test_a_folder_that_cannot_be_read_hides_its_files_and_nothing_leaves(
    context: RefreshContext, tmp_path: Path
) -> None:
    write_json_lines(tmp_path / "good.jsonl", [export_row()])
    folder = tmp_path / "x"
    hidden = str(folder / "a.jsonl")
    # The one folder that nobody can read, whatever the user.
    folder.symlink_to(folder)
    patterns = [str(tmp_path / "*.jsonl"), str(folder / "*.jsonl")]
    known = RefreshContext(
        {hidden: "cursor"},
        context.now,
        context.latest_plausible,
        context.oldest_kept,
        context.spool,
        context.tally,
    )
    changes = list(FilesSource(patterns).refresh(known))
    (told,) = [each for each in changes if isinstance(each, Hidden)]
    assert (told.rejected.reason, told.rejected.place) == ("unreadable_folder", str(folder))
    assert f"{folder} cannot be read" in told.rejected.detail
    assert [each for each in changes if isinstance(each, Retraction)] == []


def test_where_nothing_is_found_a_folder_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    looped = tmp_path / "x"
    looped.symlink_to(looped)
    said = nothing_found([str(looped / "*.csv")], "focus.files", "the last good data stays")
    assert said.startswith(f"no file of focus.files can be seen: {looped} cannot be read (")
    assert "let this user read it; the last good data stays" in said
    pattern = str(tmp_path / "*.csv")
    assert nothing_found([pattern, "s3://bills/*.csv"], "focus.files", "").startswith(
        f"no file matches {pattern}, s3://bills/*.csv: check focus.files"
    )


def test_a_link_that_leads_to_itself_is_a_file_that_cannot_be_read(
    context: RefreshContext, tmp_path: Path
) -> None:
    write_json_lines(tmp_path / "good.jsonl", [export_row()])
    link = tmp_path / "link.jsonl"
    link.symlink_to(link)
    changes = {each.partition: each for each in FilesSource([str(tmp_path / "*.jsonl")]).refresh(context)}
    unreadable = changes[str(link)]
    assert isinstance(unreadable, Unreadable)
    assert "symbolic links" in unreadable.rejected.detail
    assert isinstance(changes[str(tmp_path / "good.jsonl")], Batch)


@pytest.mark.slow
def test_a_file_that_may_not_be_read_any_more_is_told_though_it_has_not_changed(
    context: RefreshContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write_json_lines(tmp_path / "a.jsonl", [export_row()])
    write_json_lines(tmp_path / "b.jsonl", [export_row(project={"id": "b"})])
    source = FilesSource([str(tmp_path / "*.jsonl")])
    known = replace(
        context,
        known={each.partition: each.cursor for each in source.refresh(context) if isinstance(each, Batch)},
    )
    assert len(known.known) == 2
    assert list(source.refresh(known)) == []
    # Root may read everything.
    monkeypatch.setattr(os, "access", lambda path, *_mode, **_ids: path != file)
    (told,) = source.refresh(known)
    assert isinstance(told, Unreadable)
    assert told.partition == str(file)
    assert "Permission denied" in told.rejected.detail
    assert "last good charges stay" in told.rejected.detail
