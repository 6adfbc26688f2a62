"""Every section of the source article has a row, and every link and file in it exists.

The headings of the article are written out below; the tables of both languages are compared
with this list, with the pages and their heading ids, and with the files of the repository.
"""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LANGUAGES = ("en", "zh")

SECTIONS = {
    "1": "背景介绍",
    "1.1": "问题由来",
    "1.2": "问题核心关键点",
    "2": "核心概念与联系",
    "2.1": "核心概念概述",
    "3": "核心算法原理 & 具体操作步骤",
    "3.1": "算法原理概述",
    "3.2": "算法步骤详解",
    "3.3": "算法优缺点",
    "3.4": "算法应用领域",
    "4": "数学模型和公式 & 详细讲解 & 举例说明",
    "4.1": "数学模型构建",
    "4.2": "公式推导过程",
    "4.3": "案例分析与讲解",
    "5": "项目实践：代码实例和详细解释说明",
    "5.1": "开发环境搭建",
    "5.2": "源代码详细实现",
    "5.3": "代码解读与分析",
    "6": "实际应用场景",
    "6.1": "图像分类",
    "6.2": "自然语言处理",
    "6.3": "语音识别",
    "6.4": "强化学习",
    "7": "工具和资源推荐",
    "7.1": "学习资源推荐",
    "7.2": "开发工具推荐",
    "7.3": "相关论文推荐",
    "8": "总结：未来发展趋势与挑战",
    "8.1": "总结",
    "8.2": "未来发展趋势",
    "8.3": "面临的挑战",
    "8.4": "研究展望",
    "9": "附录：常见问题与解答",
    "9 Q1": "如何避免梯度消失和梯度爆炸",
    "9 Q2": "如何选择损失函数",
    "9 Q3": "如何设置学习率",
    "9 Q4": "如何进行正则化",
    "9 Q5": "如何进行模型调优",
}
ROW = re.compile(r"^\| (?P<section>\d(?:\.\d)?(?: Q\d)?) (?P<title>[^|]+) \|(?P<cells>.*)\|$", re.M)
LINK = re.compile(r"\]\((?P<target>[^)\s]+)\)")
FILE = re.compile(r"`(?P<path>[\w/]+\.py)`")


def table(lang: str) -> dict[str, tuple[str, list[str]]]:
    """Section -> (title, [page links, errata, files])."""
    text = (ROOT / "docs" / lang / "reference/article-map.md").read_text(encoding="utf-8")
    rows = [(m["section"], m["title"], m["cells"].split("|")) for m in ROW.finditer(text)]
    assert len({section for section, *_ in rows}) == len(rows), "a section has two rows"
    return {section: (title, cells) for section, title, cells in rows}


def ids(page: Path) -> set[str]:
    return set(re.findall(r"^#{1,6} .*\{ #([\w-]+)", page.read_text(encoding="utf-8"), re.M))


def problem(lang: str, target: str) -> str | None:
    """Why a link of the map leads nowhere, or None."""
    path, _, anchor = target.partition("#")
    page = (ROOT / "docs" / lang / "reference" / path).resolve()
    if not page.exists():
        return f"{lang}: {target}: no such page"
    if anchor and anchor not in ids(page):
        return f"{lang}: {target}: no such heading"
    return None


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_section_of_the_article_has_its_row_in_order(lang):
    assert list(table(lang)) == list(SECTIONS)


def test_the_chinese_titles_are_those_of_the_article():
    assert {section: title for section, (title, _) in table("zh").items()} == SECTIONS


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_row_names_a_page_and_a_file(lang):
    for section, (_, cells) in table(lang).items():
        assert len(cells) == 3, section
        assert LINK.search(cells[0]), f"§{section} has no page"
        assert FILE.search(cells[2]), f"§{section} has no test or experiment"


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_page_and_heading_exists(lang):
    targets = [m["target"] for _, c in table(lang).values() for m in LINK.finditer("".join(c[:2]))]
    assert [p for target in targets if (p := problem(lang, target))] == []


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_named_file_exists(lang):
    named = {m["path"] for _, cells in table(lang).values() for m in FILE.finditer(cells[2])}
    assert [path for path in sorted(named) if not (ROOT / path).is_file()] == []


def test_both_languages_say_the_same():
    for section, (_, english) in table("en").items():
        chinese = table("zh")[section][1]
        for pattern in (LINK, FILE):
            assert pattern.findall("|".join(english)) == pattern.findall("|".join(chinese)), section


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_entry_of_the_errata_is_reached_from_its_section(lang):
    """A section with entries links to the page, the part or the entries."""
    for page in ("principles", "formulas", "code", "applications", "context", "faq"):
        text = (ROOT / "docs" / lang / "errata" / f"{page}.md").read_text(encoding="utf-8")
        sections = {f"{a}.{b}" for a, b in re.findall(r"\{ #e-(\d)-(\d)-", text)}
        sections |= {f"9 Q{q}" for q in re.findall(r"\{ #e-9-q(\d)-", text)}
        for section in sections:
            assert f"errata/{page}.md" in table(lang)[section][1][1], f"§{section}"


def test_the_check_can_fail():
    assert problem("en", "../errata/no-such-page.md")
    assert problem("en", "../errata/faq.md#no-such-heading")
    assert problem("en", "../errata/faq.md#errata-faq") is None
